//! A form that is sent twice, by a double click or a reload, states its content once.
//!
//! Each form contains an identifier for its statement. The outcome is remembered for a while: a repeated form waits for
//! the first and gets its answer; one with other contents under the same identifier is refused. Another instance would append the statement again, and the fold counts a statement of
//! one identifier once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use yomitori_proto::id::StatementId;

/// The number of remembered forms.
const REMEMBERED: usize = 4096;

type Outcome<T> = Arc<OnceCell<T>>;

/// A form that was sent.
struct Sent<T> {
    form: StatementId,
    fields: BTreeMap<String, String>,
    outcome: Outcome<T>,
}

/// The recent outcomes by the identifier of the form.
pub(in crate::web) struct Once<T>(Mutex<VecDeque<Sent<T>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Once<T> {
    /// Runs `stating` for this form, or returns the outcome of the first run; `None` if the form was sent with other
    /// `fields`. A failure is not remembered.
    pub(in crate::web) async fn state<E>(
        &self,
        form: Option<StatementId>,
        fields: &BTreeMap<String, String>,
        stating: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, E> {
        let Some(form) = form else { return stating.await.map(Some) };
        let Some(outcome) = self.of(form, fields) else { return Ok(None) };
        outcome.get_or_try_init(|| stating).await.copied().map(Some)
    }

    fn of(&self, form: StatementId, fields: &BTreeMap<String, String>) -> Option<Outcome<T>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = known.iter_mut().find(|sent| sent.form == form) {
            // Where the first one failed, a corrected one takes its place.
            if sent.outcome.get().is_none() && Arc::strong_count(&sent.outcome) == 1 {
                sent.fields.clone_from(fields);
            }
            return (sent.fields == *fields).then(|| Arc::clone(&sent.outcome));
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        let outcome = Outcome::default();
        known.push_back(Sent { form, fields: fields.clone(), outcome: Arc::clone(&outcome) });
        Some(outcome)
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
        let fields = |intent: &str| BTreeMap::from([("intent".to_owned(), intent.to_owned())]);
        let (want, other) = (fields("want_listed"), fields("do_not_want"));
        let failed = once.state(form(1), &other, async { Err("away") }).await;
        assert_eq!(failed, Err("away"));
        let click = || {
            once.state(form(1), &want, async {
                tokio::task::yield_now().await;
                Ok::<_, &str>(count.fetch_add(1, Ordering::Relaxed))
            })
        };
        assert_eq!(tokio::join!(click(), click()), (Ok(Some(0)), Ok(Some(0))));
        assert_eq!(once.state(form(1), &other, async { Ok::<_, &str>(9) }).await, Ok(None));
        assert_eq!(once.state(form(2), &want, async { Ok::<_, &str>(7) }).await, Ok(Some(7)));
        assert_eq!(count.into_inner(), 1);
    }
}
