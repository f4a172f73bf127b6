//! The tests of the fold, in one program: each program of its own would compile the stored form of a facility once more.

mod bounds;
mod golden;
mod properties;
mod scenarios;
mod stories;
