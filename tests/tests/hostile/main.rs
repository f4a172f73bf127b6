//! Invalid input at every entry point of the real server and the real agent: it is rejected with a reason, none of it
//! enters the log, and honest clients continue undisturbed. `SEED=n` repeats a run.

mod certificate;
mod enrolment;
mod flood;
mod form;
mod log;
mod noise;
mod operator;
mod size;
mod terminal;
mod web;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::Rng;

/// Generates values that the contract allows from `chance`.
fn runner(chance: &mut impl Rng) -> TestRunner {
    let seed: [u8; 32] = chance.random();
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// gRPC's status codes for a rejection.
mod status {
    pub(crate) const OK: i32 = 0;
    pub(crate) const INVALID_ARGUMENT: i32 = 3;
    pub(crate) const PERMISSION_DENIED: i32 = 7;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const OUT_OF_RANGE: i32 = 11;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
    pub(crate) const INTERNAL: i32 = 13;
    pub(crate) const UNAVAILABLE: i32 = 14;
    pub(crate) const UNAUTHENTICATED: i32 = 16;
}
