//! A form that is sent twice, by a double click or a reload, states its content once.
//!
//! Each form contains an identifier for its statement. The outcome is remembered for a while: a repeated form waits for
//! the first and gets its answer. Another instance would append the statement again, and the fold counts a statement of
//! one identifier once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use yomitori_proto::id::StatementId;

/// The number of remembered forms.
const REMEMBERED: usize = 4096;

type Outcome<T> = Arc<OnceCell<T>>;

/// The recent outcomes by the identifier of the form.
pub(in crate::web) struct Once<T>(Mutex<VecDeque<(StatementId, Outcome<T>)>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Once<T> {
    /// Runs `stating` for this form, or returns the outcome of the first run. A failure is not remembered.
    pub(in crate::web) async fn state<E>(
        &self,
        form: Option<StatementId>,
        stating: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(form) = form else { return stating.await };
        let stated = self.of(form);
        stated.get_or_try_init(|| stating).await.copied()
    }

    fn of(&self, form: StatementId) -> Outcome<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, stated)) = known.iter().find(|(number, _)| *number == form) {
            return Arc::clone(stated);
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        let stated = Outcome::default();
        known.push_back((form, Arc::clone(&stated)));
        stated
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn two_clicks_state_once_and_a_failure_can_be_tried_again() {
        let (once, count) = (Once::<u32>::default(), AtomicU32::new(0));
        let form = |number| Some(StatementId(uuid::Uuid::from_u128(number)));
        let failed = once.state(form(1), async { Err("away") }).await;
        assert_eq!(failed, Err("away"));
        let click = || {
            once.state(form(1), async {
                tokio::task::yield_now().await;
                Ok::<_, &str>(count.fetch_add(1, Ordering::Relaxed))
            })
        };
        assert_eq!(tokio::join!(click(), click()), (Ok(0), Ok(0)));
        assert_eq!(once.state(form(2), async { Ok::<_, &str>(7) }).await, Ok(7));
        assert_eq!(count.into_inner(), 1);
    }
}
