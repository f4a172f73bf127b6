//! What every request passes: who may ask, in which language, how failures look, files, health, live updates.

pub(super) mod assets;
pub(super) mod cookie;
pub(super) mod error;
pub(super) mod guard;
pub(super) mod health;
pub(super) mod lang;
pub(super) mod live;
pub(super) mod query;
pub(super) mod who;
