//! The terminal's half of the uplink, one test for each rule.

use std::time::{Duration, Instant};

use prost::Message as _;
use uuid::Uuid;
use yomitori_proto::id::{Seq, Session};
use yomitori_proto::uplink::{Answer, Sender, SenderSettings, Transmit, Violation, Welcome};
use yomitori_proto::wire;

const SETTINGS: SenderSettings = SenderSettings {
    window: 2,
    batch_limit: 10,
    resend_after: Duration::from_secs(5),
    give_up_after: Duration::from_secs(30),
};
const WELCOME: Answer =
    Answer::Welcome(Welcome { session: Session(Uuid::from_u128(1)), keep_alive_s: 20, batch_limit: 8 });

/// A sender with its clock.
struct Terminal {
    sender: Sender,
    now: Instant,
}

impl Terminal {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of the virtual clock")]
    fn new(first_unacknowledged: u64, last_kept: u64) -> Self {
        Self { sender: Sender::new(SETTINGS, Seq(first_unacknowledged), Seq(last_kept)), now: Instant::now() }
    }

    fn greeted(first_unacknowledged: u64, last_kept: u64) -> Self {
        let mut terminal = Self::new(first_unacknowledged, last_kept);
        assert!(matches!(terminal.poll(), Some(Transmit::Hello { .. })));
        assert_eq!(terminal.hear(WELCOME), Ok(None));
        terminal
    }

    fn poll(&mut self) -> Option<Transmit> {
        self.sender.poll(self.now)
    }

    fn hear(&mut self, answer: Answer) -> Result<Option<Seq>, Violation> {
        self.sender.handle(answer, self.now)
    }

    /// Sends the requested batch, which must follow `after` and ends with `last`.
    fn send(&mut self, after: u64, last: u64) {
        assert_eq!(self.poll(), batch(after));
        self.sender.sent(Seq(after), Seq(last), (last - after) as usize, self.now);
    }

    /// Lets time pass until the sender's deadline, and returns how long that was.
    fn wait(&mut self) -> u64 {
        assert_eq!(self.poll(), None);
        let deadline = self.sender.deadline().expect("a sender that is greeted has a deadline");
        let seconds = (deadline - self.now).as_secs();
        self.now = deadline;
        seconds
    }
}

fn batch(after: u64) -> Option<Transmit> {
    Some(Transmit::Batch { after: Seq(after), limit: 8 })
}

fn ack(through: u64) -> Answer {
    Answer::Ack { through: Seq(through) }
}

#[test]
fn nothing_is_sent_before_welcome() {
    let mut terminal = Terminal::new(5, 9);
    assert_eq!(terminal.poll(), Some(Transmit::Hello { first_unacknowledged: Seq(5) }));
    assert_eq!(terminal.poll(), None);
    assert_eq!(terminal.hear(WELCOME), Ok(None));
    assert_eq!(terminal.poll(), batch(4));
}

#[test]
fn a_batch_is_asked_for_until_it_is_sent() {
    let mut terminal = Terminal::greeted(1, 20);
    assert_eq!(terminal.poll(), batch(0));
    terminal.send(0, 8);
    assert_eq!(terminal.poll(), batch(8));
}

#[test]
fn no_more_batches_than_the_window_wait_for_their_acknowledgement() {
    let mut terminal = Terminal::greeted(1, 40);
    terminal.send(0, 8);
    terminal.send(8, 16);
    assert_eq!(terminal.poll(), None);
    assert_eq!(terminal.hear(ack(8)), Ok(Some(Seq(8))));
    terminal.send(16, 24);
    assert_eq!(terminal.poll(), None);
    assert_eq!(terminal.hear(ack(24)), Ok(Some(Seq(24))));
    assert_eq!(terminal.poll(), batch(24));
}

#[test]
fn an_old_acknowledgement_releases_nothing() {
    let mut terminal = Terminal::greeted(1, 8);
    terminal.send(0, 8);
    assert_eq!(terminal.hear(ack(8)), Ok(Some(Seq(8))));
    assert_eq!(terminal.hear(ack(8)), Ok(None));
    assert_eq!(terminal.hear(ack(3)), Ok(None));
}

#[test]
fn an_acknowledgement_beyond_what_was_sent_is_a_violation_and_releases_nothing() {
    let mut terminal = Terminal::greeted(1, 20);
    terminal.send(0, 8);
    assert_eq!(terminal.hear(ack(9)), Err(Violation::AckBeyondSent { through: Seq(9), sent: Seq(8) }));
}

#[test]
fn the_server_welcomes_first_and_once() {
    let mut terminal = Terminal::new(1, 1);
    assert_eq!(terminal.hear(ack(1)), Err(Violation::WelcomeFirst));
    assert_eq!(Terminal::greeted(1, 1).hear(WELCOME), Err(Violation::WelcomeTwice));
}

#[test]
fn resume_goes_back_at_once() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    terminal.send(8, 16);
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(0) }), Ok(None));
    terminal.send(0, 8);
    terminal.send(8, 16);
}

#[test]
fn resume_never_goes_below_what_was_acknowledged_nor_forward() {
    let mut terminal = Terminal::greeted(1, 24);
    terminal.send(0, 8);
    terminal.send(8, 16);
    assert_eq!(terminal.hear(ack(8)), Ok(Some(Seq(8))));
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(3) }), Ok(None));
    assert_eq!(terminal.poll(), batch(8));
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(16) }), Ok(None));
    assert_eq!(terminal.poll(), batch(8));
}

#[test]
fn what_arrived_before_a_lost_batch_is_still_waited_for() {
    let mut terminal = Terminal::greeted(1, 24);
    terminal.send(0, 8);
    terminal.send(8, 16);
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(8) }), Ok(None));
    terminal.send(8, 16);
    assert_eq!(terminal.poll(), None, "both batches of the window wait");
    assert_eq!(terminal.wait(), 5);
    assert_eq!(terminal.poll(), batch(0));
}

#[test]
fn everything_unacknowledged_is_sent_again_after_a_silence() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    terminal.now += Duration::from_secs(3);
    terminal.send(8, 16);
    assert_eq!(terminal.wait(), 2);
    terminal.send(0, 8);
    terminal.send(8, 16);
    assert_eq!(terminal.wait(), 5);
}

#[test]
fn an_acknowledgement_restarts_the_silence() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    terminal.send(8, 16);
    terminal.now += Duration::from_secs(4);
    assert_eq!(terminal.hear(ack(8)), Ok(Some(Seq(8))));
    assert_eq!(terminal.wait(), 5);
    assert_eq!(terminal.poll(), batch(8));
}

#[test]
fn what_is_acknowledged_after_going_back_is_not_sent_again() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    terminal.send(8, 16);
    terminal.wait();
    assert_eq!(terminal.poll(), batch(0));
    assert_eq!(terminal.hear(ack(16)), Ok(Some(Seq(16))));
    assert_eq!(terminal.poll(), None);
}

#[test]
fn a_batch_read_before_an_answer_moved_the_sender_does_not_hide_what_is_missing() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    assert_eq!(terminal.poll(), batch(8));
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(0) }), Ok(None));
    terminal.sender.sent(Seq(8), Seq(16), 8, terminal.now);
    assert_eq!(terminal.poll(), batch(0));
    assert_eq!(terminal.hear(ack(16)), Ok(Some(Seq(16))), "it was sent before");
}

#[test]
fn what_the_spool_has_shed_is_not_asked_for_again_until_something_new_is_kept() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    assert_eq!(terminal.poll(), batch(8));
    terminal.sender.sent(Seq(8), Seq(8), 0, terminal.now);
    assert_eq!(terminal.poll(), None);
    terminal.sender.kept(Seq(17));
    assert_eq!(terminal.poll(), batch(8), "numbers between 8 and 17 were never assigned");
}

#[test]
fn shedding_does_not_keep_a_lost_batch_from_being_sent_again() {
    let mut terminal = Terminal::greeted(1, 16);
    terminal.send(0, 8);
    assert_eq!(terminal.poll(), batch(8));
    terminal.sender.sent(Seq(8), Seq(8), 0, terminal.now);
    assert_eq!(terminal.hear(Answer::Resume { after: Seq(0) }), Ok(None));
    assert_eq!(terminal.poll(), batch(0));
}

#[test]
fn a_server_owes_no_answer_to_what_was_shed_before_it_was_sent_again() {
    let mut terminal = Terminal::greeted(1, 8);
    terminal.send(0, 8);
    assert_eq!(terminal.wait(), 5);
    assert_eq!(terminal.poll(), batch(0));
    terminal.sender.sent(Seq(0), Seq(0), 0, terminal.now);
    assert_eq!(terminal.wait(), 15);
    for _ in 0..3 {
        assert_eq!(terminal.poll(), Some(Transmit::KeepAlive { last_kept: Seq(8) }));
        assert_eq!(terminal.wait(), 20);
    }
}

#[test]
fn slow_down_is_obeyed_and_does_not_count_as_silence() {
    let mut terminal = Terminal::greeted(1, 40);
    terminal.send(0, 8);
    assert_eq!(terminal.hear(Answer::SlowDown { pause_ms: 60_000 }), Ok(None));
    assert_eq!(terminal.hear(ack(4)), Ok(Some(Seq(4))));
    assert_eq!(terminal.wait(), 60, "neither a resend nor a give-up nor a keep-alive");
    terminal.send(8, 16);
    assert_eq!(terminal.wait(), 5);
}

#[test]
fn an_idle_sender_says_that_it_is_alive() {
    let mut terminal = Terminal::greeted(1, 8);
    terminal.send(0, 8);
    assert_eq!(terminal.hear(ack(8)), Ok(Some(Seq(8))));
    for _ in 0..3 {
        assert_eq!(terminal.wait(), 20);
        assert_eq!(terminal.poll(), Some(Transmit::KeepAlive { last_kept: Seq(8) }));
    }
}

#[test]
fn a_server_that_owes_an_answer_is_given_up() {
    let mut unwelcome = Terminal::new(1, 8);
    assert!(matches!(unwelcome.poll(), Some(Transmit::Hello { .. })));
    assert_eq!(unwelcome.wait(), 30);
    assert_eq!(unwelcome.poll(), Some(Transmit::GiveUp));

    let mut terminal = Terminal::greeted(1, 8);
    for _ in 0..6 {
        terminal.send(0, 8);
        assert_eq!(terminal.wait(), 5);
    }
    assert_eq!(terminal.poll(), Some(Transmit::GiveUp));
}

#[test]
fn a_server_that_owes_nothing_may_stay_silent() {
    let mut terminal = Terminal::greeted(9, 8);
    for _ in 0..100 {
        terminal.wait();
        assert_eq!(terminal.poll(), Some(Transmit::KeepAlive { last_kept: Seq(8) }));
    }
    terminal.sender.kept(Seq(9));
    terminal.send(8, 9);
    assert_eq!(terminal.poll(), None, "the silence begins with what it owes");
}

#[test]
fn an_invalid_message_of_the_server_is_rejected() {
    let said = |message| Answer::read(wire::Down { message: Some(message) });
    let welcome = wire::Welcome { session: vec![1; 16], keep_alive_s: 20, batch_limit: 8 };
    let refused: [(wire::down::Message, &str); 4] = [
        (wire::down::Message::Welcome(wire::Welcome { keep_alive_s: 0, ..welcome.clone() }), "keep_alive_s"),
        (wire::down::Message::Welcome(wire::Welcome { batch_limit: 0, ..welcome.clone() }), "batch_limit"),
        (wire::down::Message::Welcome(wire::Welcome { session: vec![1; 3], ..welcome }), "session"),
        (wire::down::Message::Ack(wire::Ack { through: 0 }), "through"),
    ];
    for (message, field) in refused {
        assert!(said(message).unwrap_err().to_string().contains(field), "{field}");
    }
}

#[test]
fn a_message_that_only_a_newer_server_knows_is_ignored() {
    // Field 999 of `Down`, an empty message.
    let newer = wire::Down::decode(&[0xba, 0x3e, 0x00][..]).unwrap();
    assert_eq!(Answer::read(newer), Ok(None));
}
