//! Answers in pieces: whoever does not read takes the room of a piece and not of all the answers that were asked for.
//!
//! The library copies a body into the connection's buffer as it comes, and answers the next of several requests that were sent
//! at once without waiting for the first to be read. In pieces, it waits as soon as its buffer is full.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of a piece.
const PIECE: usize = 16_384;

/// A body that is there as a whole.
struct Pieces {
    bytes: usize,
    left: Bytes,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = self.left.len().min(PIECE);
        let piece = self.left.split_to(next);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// The same body, in pieces where it is large.
pub(super) fn in_pieces(body: BoxBody) -> BoxBody {
    match body.try_into_bytes() {
        Ok(left) if left.len() > PIECE => BoxBody::new(Pieces { bytes: left.len(), left }),
        Ok(bytes) => BoxBody::new(bytes),
        Err(body) => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[test]
    fn a_body_is_the_same_in_pieces_of_a_bounded_size() {
        actix_rt::System::new().block_on(async {
            for bytes in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 100_000] {
                let whole: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into();
                let body = in_pieces(BoxBody::new(whole.clone()));
                assert_eq!(body.size(), BodySize::Sized(bytes as u64));
                assert_eq!(to_bytes(body).await.expect("a body"), whole);
            }
            let mut body = Box::pin(in_pieces(BoxBody::new(Bytes::from(vec![0; 100_000]))));
            let piece = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await;
            assert_eq!(piece.expect("one").expect("no error").len(), PIECE);
        });
    }
}
