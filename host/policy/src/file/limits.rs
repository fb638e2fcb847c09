//! The `[limits]` of a policy file. It must not pass over a limit that it does
//! not know: it would not hold.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::Limits;
use crate::file::{File, Mistake};
use crate::limits::KEYS;
use crate::quantity::{self, QuantityError};
use crate::quoted::Quoted;
use crate::suggestion::did_you_mean;

type Value<'t> = Spanned<DeValue<'t>>;

impl File<'_> {
    /// Adds the limits; of those given more than once the tighter holds.
    pub(super) fn limits(&mut self, value: &Value<'_>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong_type("`limits` is a table", value);
        };
        let mut limits = Limits::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "sockets" => limits.sockets = self.count(value),
                "connections" => limits.connections = self.count(value),
                "connections-per-second" => limits.connections_per_second = self.count(value),
                "lookups-per-minute" => limits.lookups_per_minute = self.count(value),
                "bytes-sent" => limits.bytes_sent = self.bytes(value),
                "bytes-received" => limits.bytes_received = self.bytes(value),
                "bandwidth" => limits.bandwidth = self.bytes_a_second(value),
                "idle-timeout" => limits.idle_timeout = self.duration(value),
                "connection-timeout" => limits.connection_timeout = self.duration(value),
                "backlog" => limits.backlog = self.count(value),
                unknown => self.mistake(Mistake {
                    span: key.span(),
                    reason: format!("unknown limit `{}`", Quoted(unknown)),
                    hint: did_you_mean(unknown, &KEYS)
                        .or_else(|| super::misplaced(unknown, "limits")),
                }),
            }
        }
        self.draft.limits = self.draft.limits.and(limits);
    }

    fn count(&mut self, value: &Value<'_>) -> Option<u32> {
        let count = integer(value.get_ref()).unwrap_or_else(|| {
            Err(QuantityError::new(
                "this limit is a whole number",
                "write for example `128`, without quotes",
            ))
        });
        let count = count.and_then(|count| count.try_into().map_err(|_| quantity::too_large()));
        self.quantity(count, value)
    }

    fn bytes(&mut self, value: &Value<'_>) -> Option<u64> {
        let text = |text| Some(quantity::bytes(text));
        let bytes = integer(value.get_ref()).or_else(|| value.get_ref().as_str().and_then(text));
        let bytes = bytes.unwrap_or_else(|| {
            Err(QuantityError::new(
                "this limit is a size",
                "write for example `\"1 GiB\"`, or a number of bytes",
            ))
        });
        self.quantity(bytes, value)
    }

    fn bytes_a_second(&mut self, value: &Value<'_>) -> Option<u64> {
        let text = |text| Some(quantity::bytes_a_second(text));
        let rate = integer(value.get_ref()).or_else(|| value.get_ref().as_str().and_then(text));
        let rate = rate.unwrap_or_else(|| {
            Err(QuantityError::new(
                "this limit is a rate",
                "write for example `\"10 MiB/s\"`, or a number of bytes a second",
            ))
        });
        self.quantity(rate, value)
    }

    fn duration(&mut self, value: &Value<'_>) -> Option<Duration> {
        let duration = match value.get_ref().as_str() {
            Some(text) => quantity::duration(text),
            None => Err(QuantityError::new(
                "this limit is a duration, as a string",
                quantity::DURATION_HINT,
            )),
        };
        self.quantity(duration, value)
    }

    fn quantity<T>(&mut self, quantity: Result<T, QuantityError>, value: &Value<'_>) -> Option<T> {
        match quantity {
            Ok(quantity) => Some(quantity),
            Err(QuantityError { reason, hint }) => {
                let span = value.span();
                self.mistake(Mistake { span, reason, hint });
                None
            }
        }
    }
}

/// The whole number that a value is, if it is one.
fn integer(value: &DeValue<'_>) -> Option<Result<u64, QuantityError>> {
    let integer = value.as_integer()?;
    let digits = integer.as_str();
    Some(match i128::from_str_radix(digits, integer.radix()) {
        Ok(0) => Err(quantity::zero()),
        Ok(number) if number < 0 => Err(quantity::negative()),
        Ok(number) => number.try_into().map_err(|_| quantity::too_large()),
        Err(_) => Err(quantity::too_large()),
    })
}
