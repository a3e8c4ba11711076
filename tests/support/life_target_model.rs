//! What can be seen of a target in a stack of adapters, of its plain model.

use sse_proto::target::{CloseReason, Dispatched};

use super::life_target::{Command, NEVER, Outcome, Says, Seen};
use super::model::Model;
use super::model_line::Queued;
use super::play::{Action, Rules, When};

/// A target in a stack: its queue, and how many handles it has.
#[derive(Clone)]
pub struct TargetModel {
    pub queue: Model,
    handles: usize,
}

impl TargetModel {
    pub fn new(rules: Rules) -> Self {
        Self {
            queue: Model::new(rules),
            handles: 1,
        }
    }

    pub fn obey(&mut self, command: &Command) -> Outcome {
        let outcome = self.outcome(command);
        if self.handles + self.queue.line.places() == 0 {
            self.end(CloseReason::HandlesDropped);
        }
        self.queue.serve();
        outcome
    }

    /// What one poll of the stream gives: a chunk, or nothing now.
    pub fn take_chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = self.queue.take_chunk();
        self.queue.serve();
        chunk
    }

    pub fn end(&mut self, reason: CloseReason) {
        self.queue.end(reason).expect("no listener panics");
    }

    pub fn see(&self) -> Seen {
        let queue = &self.queue;
        let reason = queue.reason();
        let says = Says {
            reason,
            counts: queue.counts(),
            is_drained: queue.is_drained(),
        };
        Seen {
            told: reason.into_iter().collect(),
            closed: reason,
            closed_wakes: usize::from(reason.is_some()),
            wakes: std::array::from_fn(|who| queue.wakes(who)),
            says: (self.handles > 0).then_some(says),
        }
    }

    fn outcome(&mut self, command: &Command) -> Outcome {
        let queue = &mut self.queue;
        let panics = "no listener panics";
        match command {
            Command::Reserved(who) if queue.line.waits(*who) => {
                return Outcome::Reserved(queue.reserved(*who));
            }
            Command::Send(who, message) if queue.line.holds(*who) => {
                return Outcome::Sent(queue.send_promised(*who, message, true));
            }
            Command::SendFrame(who, message) if queue.line.holds(*who) => {
                return Outcome::Sent(queue.send_promised(*who, message, false));
            }
            Command::GiveUp(who) => _ = queue.line.leave(*who),
            _ => {}
        }
        if self.handles == 0 {
            return Outcome::Nothing;
        }
        match command {
            Command::Dispatch(message) => {
                return Outcome::Sent(queue.dispatch(message).expect(panics));
            }
            Command::Queue(message) => {
                let sent = queue.queue(&Queued::of(message)).expect(panics);
                return Outcome::Sent(sent.map(|()| Dispatched::Sent));
            }
            Command::Comment(len) => {
                let sent = queue.queue(&Queued::comment(*len)).expect(panics);
                return Outcome::Sent(sent.map(|()| Dispatched::Sent));
            }
            Command::Reserve(who, len) => {
                queue.line.leave(*who);
                queue.serve();
                return Outcome::Reserved(queue.reserve(*who, *len));
            }
            Command::Mark(marked) => queue.rules.marked = *marked,
            Command::Listen => queue.listen(When::Type(NEVER), false, Action::Cancel),
            Command::End(reason) => self.end(*reason),
            Command::Clone => self.handles += 1,
            Command::DropHandle => self.handles -= 1,
            _ => {}
        }
        Outcome::Nothing
    }
}
