//! Asking somebody before a guest is denied what it was merely not granted.
//!
//! What they say is a grant, and only the policy makes a permit of it. Nobody is
//! asked where a grant would not do: about what is denied, what a ceiling is
//! against, or what the guest keeps itself from.

use portcullis_policy::{Denial, Permit, Policy, Request};

use crate::network::Network;

/// Somebody who can grant what a guest lacks, while it waits.
///
/// They are asked on the thread that serves the guest, about its own requests
/// and not about its peers. Where other guests are served on the same thread,
/// they wait as well.
pub trait Ask: Send + Sync {
    /// Whether to grant [`Denial::grant`], so that what was denied passes.
    fn ask(&self, denial: &Denial) -> Consent;
}

/// What is granted to who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Consent {
    /// Nothing.
    Denied,
    /// The grant, for this one operation of the guest.
    Once,
    /// The grant, from now on, wherever the policy is used.
    Always,
}

/// A permit, and the policy that gives it: the network's own, or as somebody has
/// it for once.
pub(crate) type Judgement<R> = (Permit<R>, Policy);

impl Network {
    /// Asks the policy, and where that only wants a grant, whoever may give one.
    pub(crate) fn judge<R: Request + Clone>(&self, request: R) -> Result<Judgement<R>, Denial> {
        self.judge_by(self.policy(), request)
    }

    /// The same by the policy of the judgement before, which is part of the same
    /// operation.
    pub(crate) fn judge_by<R: Request + Clone>(
        &self,
        policy: &Policy,
        request: R,
    ) -> Result<Judgement<R>, Denial> {
        let denial = match policy.check(request.clone()) {
            Ok(permit) => return Ok((permit, policy.clone())),
            Err(denial) => denial,
        };
        let policy = self.second_opinion(policy, &request, denial)?;
        let permit = policy.check(request)?;
        Ok((permit, policy))
    }

    /// The policy by which the request passes after all.
    pub(crate) fn second_opinion<R: Request + Clone>(
        &self,
        policy: &Policy,
        request: &R,
        denial: Denial,
    ) -> Result<Policy, Denial> {
        let (Some(ask), Some(grant)) = (self.asked(), denial.grant()) else {
            return Err(denial);
        };
        let supposed = policy.supposing(grant);
        if supposed.check(request.clone()).is_err() {
            return Err(denial);
        }
        match ask.ask(&denial) {
            Consent::Denied => Err(denial),
            Consent::Once => Ok(supposed),
            Consent::Always => {
                self.policy_to_write().grow(grant);
                Ok(supposed)
            }
        }
    }
}
