//! What operators hear of decisions.
//!
//! The guest hears `access-denied`; the whole reason goes here.

use portcullis_policy::Denial;

/// Something that an operator may want to know.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request of the guest did not pass the policy.
    Denied(&'a Denial),
    /// A peer that wanted to connect was not admitted. The guest has no part in
    /// it.
    Refused(&'a Denial),
}

/// Where events go. It is called on the thread that serves the guest, before
/// the guest hears of the outcome: a slow sink slows the guest.
pub trait Audit: Send + Sync {
    /// Takes note of an event.
    fn record(&self, event: Event<'_>);
}

/// An audit that forgets everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Audit for Silent {
    fn record(&self, _: Event<'_>) {}
}
