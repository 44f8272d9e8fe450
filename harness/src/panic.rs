//! Panics of our own code: each is caught where it happens, so that it costs no more than what it happened in.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// A panic of our own code, which is a defect of loginspec and says nothing of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("loginspec panicked, which is a defect of loginspec: {message}")]
pub(crate) struct Panicked {
    message: String,
}

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let text =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: text.unwrap_or("a panic without a message").to_string() }
    }

    /// The same with its message changed, to mask what it must not tell.
    pub fn with_message(self, change: impl FnOnce(&str) -> String) -> Self {
        Self { message: change(&self.message) }
    }
}

/// Runs a future to its end. A panic in it is the error, and drops the future.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    // What the future has borrowed may be half changed. Shared state is behind locks that are taken although they are
    // poisoned, and holds counts that are whole at every moment.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => Poll::Ready(Err(Panicked::new(&*payload))),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_message() {
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
        let number = 7;
        let told = catch_panic(async {
            tokio::task::yield_now().await;
            assert_ne!(number, 7, "seven");
        });
        let error = told.await.unwrap_err().to_string();
        assert!(error.starts_with("loginspec panicked, which is a defect of loginspec: "), "{error}");
        assert!(error.contains("seven"), "{error}");
        let masked = catch_panic(async { panic!("Secret") })
            .await
            .map_err(|panic: Panicked| panic.with_message(|message| message.replace("Secret", "<password>")));
        let masked: Result<(), _> = masked;
        assert!(masked.unwrap_err().to_string().ends_with(": <password>"));
    }
}
