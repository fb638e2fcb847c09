//! What a policy says to a request, step by step. It must not look names up:
//! where they lead is for others to find out, with the permit for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diff::destinations;
use crate::{AnyRequest, Denial, Grant, Lookup, Name, Policy};

/// Whether a request would be allowed, and by what.
///
/// A request by name takes several decisions: the lookup, and then whether what it
/// was for is allowed at one of the addresses. Those that are not are left out, as
/// they are when a guest asks.
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<Step>,
    destinations: Vec<String>,
    allowed: bool,
}

/// One decision.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was decided about.
    pub request: AnyRequest,
    /// Where the name of the request led.
    pub address: Option<IpAddr>,
    /// The grant that allows it, if it takes one, or why it is denied.
    pub verdict: Result<Option<Grant>, Denial>,
}

/// Where a name leads.
#[derive(Clone, Debug, Default)]
pub struct Leads {
    /// The names that it is an alias of.
    pub aliases: Vec<Name>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Policy {
    /// Explains what becomes of a request. Where its name leads, `leads` says; or
    /// else the policy's own `[hosts]` do, or it is a matter of what the name is.
    pub fn explain(&self, request: &AnyRequest, leads: Option<&Leads>) -> Explanation {
        let first = self.step(request, None);
        let mut explanation = Explanation {
            allowed: first.verdict.is_ok(),
            steps: vec![first],
            destinations: Vec::new(),
        };
        if let AnyRequest::Lookup(lookup) = request
            && explanation.allowed
        {
            self.follow(&mut explanation, lookup, request, leads);
        }
        explanation
    }

    /// The addresses of a name that nobody has to be asked for: those of
    /// `localhost`, and those in `[hosts]`.
    pub fn known_addresses(&self, name: &Name) -> Option<Vec<IpAddr>> {
        if name.is_localhost() {
            return Some(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        self.hosts(name).map(<[IpAddr]>::to_vec)
    }

    fn follow(
        &self,
        explanation: &mut Explanation,
        lookup: &Lookup,
        request: &AnyRequest,
        leads: Option<&Leads>,
    ) {
        for alias in leads.into_iter().flat_map(|leads| &leads.aliases) {
            let alias = Lookup::new(alias.clone(), lookup.purpose());
            let step = self.step(&AnyRequest::Lookup(alias), None);
            // An alias takes no grant of its own, but its denies hold.
            if step.verdict.as_ref().is_err_and(Denial::is_explicit) {
                explanation.allowed = false;
                explanation.steps.push(step);
                return;
            }
        }
        let addresses = match leads {
            Some(leads) => Some(leads.addresses.clone()),
            None => self.known_addresses(lookup.name()),
        };
        let at = |address: IpAddr| Some(self.step(&request.at(address)?, Some(address)));
        let steps: Vec<Step> = match addresses {
            Some(addresses) => addresses.into_iter().filter_map(at).collect(),
            None => {
                explanation.destinations = destinations(self, request);
                let nowhere = explanation.destinations.is_empty();
                // Why not, such an address tells as well as any.
                let public = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
                nowhere.then(|| at(public)).flatten().into_iter().collect()
            }
        };
        if !steps.is_empty() {
            explanation.allowed = steps.iter().any(|step| step.verdict.is_ok());
        }
        explanation.steps.extend(steps);
    }

    fn step(&self, request: &AnyRequest, address: Option<IpAddr>) -> Step {
        let verdict = self.check(request.clone());
        let verdict = match (verdict, request) {
            // The guest's own name is no secret.
            (Err(denial), AnyRequest::Lookup(lookup))
                if lookup.name().as_str() == self.host_name() && !denial.is_explicit() =>
            {
                Ok(None)
            }
            // Nor is what the policy itself tells, and loopback is a constant.
            (Err(denial), AnyRequest::Reverse(reverse))
                if reverse.address().is_loopback()
                    || self.hosts_by_address(reverse.address()).is_some()
                        && !denial.is_explicit() =>
            {
                Ok(None)
            }
            (verdict, _) => verdict.map(|permit| permit.grant().cloned()),
        };
        Step {
            request: request.clone(),
            address,
            verdict,
        }
    }
}

impl Explanation {
    /// Whether the request is allowed; by name, if it is so at one address.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// The decisions, the first about the request itself.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The addresses to which the name may lead, where it was not known where it
    /// does: as after `in`, in one or more lists.
    pub fn destinations(&self) -> &[String] {
        &self.destinations
    }

    /// The decision that counts: the one that allows, or else the one that denies.
    pub fn decisive(&self) -> Option<&Step> {
        let mut steps = self.steps.iter().rev();
        steps.find(|step| step.verdict.is_ok() == self.allowed)
    }
}
