//! A connection lent by a pool. A query whose page is gone is cancelled: PostgreSQL would otherwise run it to its end, and the
//! connection with it would go to the next page.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long PostgreSQL has to take a cancellation.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

thread_local! {
    /// Whether this thread is inside [`PageFuture::poll`].
    static IN_PAGE: Cell<bool> = const { Cell::new(false) };
}

/// A connection; it goes back to its pool when the value is dropped.
pub struct Lent {
    object: Option<Object>,
    for_page: bool,
    tls: MakeRustlsConnect,
}

impl Lent {
    pub(super) fn new(object: Object, tls: MakeRustlsConnect) -> Self {
        Self { object: Some(object), for_page: IN_PAGE.get(), tls }
    }
}

impl Deref for Lent {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.object.as_ref().expect("it is taken only when the value is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut ClientWrapper {
        self.object.as_mut().expect("it is taken only when the value is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // While the page is being computed, a connection is dropped after its last answer.
        if !self.for_page || IN_PAGE.get() {
            return;
        }
        let (Some(object), Ok(runtime)) = (self.object.take(), tokio::runtime::Handle::try_current()) else { return };
        let tls = self.tls.clone();
        runtime.spawn(async move {
            tokio::time::timeout(CANCEL_LIMIT, object.cancel_token().cancel_query(tls)).await.ok();
            drop(object);
        });
    }
}

/// Sets back whether this thread computes a page, also after a panic.
struct Inside(bool);

impl Drop for Inside {
    fn drop(&mut self) {
        IN_PAGE.set(self.0);
    }
}

/// Computes a page: if the value is dropped before the end, the queries that it was waiting for are cancelled.
pub struct PageFuture<F>(Pin<Box<F>>);

impl<F: Future> PageFuture<F> {
    pub fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for PageFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _inside = Inside(IN_PAGE.replace(true));
        self.0.as_mut().poll(context)
    }
}
