//! Engines that die, leave, come, or stand still.

use super::{Broken, Injector};
use crate::live::ChaosError;
use crate::live::bed::{Engine, signal};
use crate::live::plan::FaultPlan;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Lets a process stand still for a while.
pub(super) fn pause(process: Option<u32>, for_time: Duration) -> Result<(), ChaosError> {
    let process =
        process.ok_or_else(|| ChaosError::Engine("the process to pause was not started here".to_owned()))?;
    signal(process, "STOP")?;
    std::thread::sleep(for_time);
    signal(process, "CONT")
}

/// What there is to say where the others did not take everything over in time.
fn late(recovered: Option<Instant>) -> Option<String> {
    recovered.is_none().then(|| "not every partition was live again within the deadline".to_owned())
}

impl<'a> Injector<'a> {
    /// Recovered: every partition is live again, wherever; the engine's own return is not waited for.
    pub(super) fn kill_engine(
        &self,
        engine: &'a Engine,
        fault: &FaultPlan,
    ) -> Result<Broken<'a>, ChaosError> {
        engine.kill();
        let (recovered, back) = std::thread::scope(|scope| {
            let back = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(fault.for_ms));
                engine.start()
            });
            let recovered = self.probe(None, None, self.deadline());
            (recovered, back.join())
        });
        back.map_err(|_| ChaosError::Engine(format!("starting {} panicked", engine.name)))??;
        let trouble = late(recovered);
        Ok(Broken { absent: Some(engine), recovered, trouble, ..Broken::at_once(None) })
    }

    /// Recovered: every partition is live on the others. A single engine has to come back for that.
    pub(super) fn stop_engine(
        &self,
        engine: &'a Engine,
        fault: &FaultPlan,
    ) -> Result<Broken<'a>, ChaosError> {
        let alone = self.bed.running().len() == 1;
        engine.ask_to_stop()?;
        let (recovered, stopped) = std::thread::scope(|scope| {
            let stopping = scope.spawn(|| engine.stop());
            let recovered = if alone { None } else { self.live_without(engine) };
            (recovered, stopping.join())
        });
        let unwilling = stopped.ok().and_then(Result::err).map(|error| error.to_string());
        let trouble = unwilling.or_else(|| if alone { None } else { late(recovered) });
        std::thread::sleep(Duration::from_millis(fault.for_ms));
        engine.start()?;
        Ok(Broken { absent: Some(engine), recovered, trouble, ..Broken::at_once(None) })
    }

    fn live_without(&self, engine: &Engine) -> Option<Instant> {
        let deadline = self.deadline();
        if !self.wait_for_places(Some(engine), deadline) {
            return None;
        }
        self.probe(None, Some(engine), deadline)
    }

    pub(super) fn pause_engine(
        &self,
        engine: &'a Engine,
        fault: &FaultPlan,
    ) -> Result<Broken<'a>, ChaosError> {
        pause(engine.process_id(), Duration::from_millis(fault.for_ms))?;
        Ok(Broken { absent: Some(engine), ..Broken::over_now() })
    }

    /// Recovered: the newcomer has its share, and every partition is live once.
    pub(super) fn join_engine(&self, fault: &FaultPlan) -> Result<Broken<'a>, ChaosError> {
        let spare = self.bed.engines[self.plan.nodes..].iter().find(|engine| !engine.is_running());
        let spare = spare.ok_or_else(|| ChaosError::Engine("every engine of the plan runs".to_owned()))?;
        spare.start()?;
        let recovered = self.settle(self.deadline()).then(Instant::now);
        if fault.for_ms == 0 {
            return Ok(Broken { recovered, ..Broken::at_once(None) });
        }
        std::thread::sleep(Duration::from_millis(fault.for_ms));
        let trouble = spare.stop().err().map(|error| error.to_string());
        spare.in_service.store(false, Relaxed);
        Ok(Broken { recovered, trouble, ..Broken::at_once(None) })
    }

    /// Recovered: all have been restarted, and everything works.
    pub(super) fn restart_all(&self) -> Result<Broken<'a>, ChaosError> {
        let mut trouble = None;
        for engine in self.bed.running() {
            trouble = trouble.or(engine.stop().err().map(|error| error.to_string()));
            engine.start()?;
            if !self.settle(self.deadline()) {
                let places = self.places();
                trouble = trouble.or_else(|| Some(format!("after the restart of {}: {places}", engine.name)));
            }
        }
        Ok(Broken { trouble, ..Broken::at_once(None) })
    }
}
