//! Whole journeys on real services, one a file. They are one program, because building it takes most of the time: each
//! program would be linked with everything once more.

mod bad_line;
mod catalogue;
mod collection;
mod completeness;
mod copied;
mod debian;
mod desk;
mod enrol_again;
mod fleet;
mod forms;
mod handover;
mod journey;
mod lapsed;
mod listing;
mod newer;
mod offline;
mod parked;
mod presence;
mod readers;
mod rebuild;
mod reenrolled;
mod refused;
mod relay;
mod restore;
mod results;
mod rules;
mod schema;
mod slow_clock;
mod slow_pages;
mod statements;
mod terminal;
mod time_travel;
mod topic;
mod windows;
mod world;
