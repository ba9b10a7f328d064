//! Replies of other threads reach the requests of a busy serving thread in their turn.
//!
//! A serving thread's tasks are woken through one queue by the thread itself, and through another by other threads;
//! of the second, tokio takes one task in thirty-one that it polls (`REMOTE_FIRST_INTERVAL`) as long as there is
//! anything in the first. With hundreds of connections that always have a request to be refused, that is what an
//! actor's reply would wait for: seconds. So other threads leave word here, and wake one task, which wakes
//! everybody whose reply has come, as of the thread itself.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use parking_lot::Mutex;
use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

thread_local! {
    /// Those of this thread; none where nothing wakes for them.
    static HERE: OnceCell<Arc<Replies>> = const { OnceCell::new() };
}

/// Tasks of one thread whose replies have come.
struct Replies {
    thread: ThreadId,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Whose replies have come.
    tasks: Vec<Waker>,
    /// Wakes them, if it waits.
    task_that_wakes: Option<Waker>,
}

/// Begins to wake tasks of this thread for other threads.
pub(super) fn watch() {
    HERE.with(|here| {
        if here.get().is_none() {
            let replies =
                Arc::new(Replies { thread: std::thread::current().id(), waiting: Mutex::default() });
            actix_rt::spawn(poll_fn({
                let replies = replies.clone();
                move |context| replies.wake_tasks(context)
            }));
            // Nobody can have set it meanwhile.
            let _set = here.set(replies);
        }
    });
}

impl Replies {
    /// Wakes whoever's reply has come, and waits for the next.
    fn wake_tasks(&self, context: &Context<'_>) -> Poll<()> {
        let tasks = {
            let mut waiting = self.waiting.lock();
            waiting.task_that_wakes = Some(context.waker().clone());
            std::mem::take(&mut waiting.tasks)
        };
        tasks.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

/// Wakes a task of one thread from any thread.
struct Caller {
    task: Waker,
    replies: Arc<Replies>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if std::thread::current().id() == self.replies.thread {
            return self.task.wake_by_ref();
        }
        let waker = {
            let mut waiting = self.replies.waiting.lock();
            waiting.tasks.push(self.task.clone());
            waiting.task_that_wakes.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A future whose task is woken in its turn, whichever thread wakes it.
async fn in_turn<T>(future: impl Future<Output = T>) -> T {
    let Some(replies) = HERE.with(|here| here.get().cloned()) else { return future.await };
    let mut future = pin!(future);
    let mut kept: Option<(Waker, Waker)> = None;
    poll_fn(move |context| {
        let (_, waker) = match kept.take() {
            Some(known) if known.0.will_wake(context.waker()) => kept.insert(known),
            _ => {
                let task = context.waker().clone();
                let caller = Arc::new(Caller { task: task.clone(), replies: replies.clone() });
                kept.insert((task, Waker::from(caller)))
            }
        };
        future.as_mut().poll(&mut Context::from_waker(waker))
    })
    .await
}

/// Answers a request whose replies come in their turn.
pub(super) async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    Ok(in_turn(next.call(request)).await?.map_into_boxed_body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Polls of tasks that are always ready which 100 replies of another thread, all there before the first, take.
    async fn polls_until_all_replied(in_their_turn: bool) -> usize {
        const REPLIES: usize = 100;
        let (replied, polls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..REPLIES).map(|_| tokio::sync::oneshot::channel::<()>()).unzip();
        for receiver in receivers {
            let replied = replied.clone();
            actix_rt::spawn(async move {
                if in_their_turn { in_turn(receiver).await } else { receiver.await }.expect("a reply");
                replied.set(replied.get() + 1);
            });
        }
        // They wait before anybody replies.
        tokio::task::yield_now().await;
        let replying =
            move || senders.into_iter().for_each(|sender| sender.send(()).expect("somebody waits"));
        std::thread::spawn(replying).join().expect("the other thread");
        for _ in 0..50 {
            let (replied, polls) = (replied.clone(), polls.clone());
            actix_rt::spawn(poll_fn(move |context| {
                if replied.get() == REPLIES {
                    return Poll::Ready(());
                }
                polls.set(polls.get() + 1);
                context.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        while replied.get() < REPLIES {
            tokio::task::yield_now().await;
        }
        polls.get()
    }

    #[actix_web::test]
    async fn replies_of_another_thread_do_not_wait_for_all_that_is_ready() {
        watch();
        let (plain, in_turn) = (polls_until_all_replied(false).await, polls_until_all_replied(true).await);
        assert!(in_turn < 300, "{in_turn} polls of others before all had their reply");
        assert!(plain > 5 * in_turn, "without it {plain}, with it {in_turn}: it is not needed any more");
    }
}
