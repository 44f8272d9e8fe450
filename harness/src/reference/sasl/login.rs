//! LOGIN (draft-murchison-sasl-login): two prompts, the name and the password.

use super::super::authority::Evidence;
use super::{Context, Step};
use crate::axes::Mechanism;

/// The first prompt, with the NUL that draft-murchison-sasl-login ends it with.
pub(super) const NAME: &[u8] = b"User Name\0";
/// The second, likewise.
pub(super) const PASSWORD: &[u8] = b"Password\0";

pub(super) fn answer(name: &[u8], password: &[u8], context: Context<'_>) -> Step {
    Step::Decided(context.decide(Mechanism::SaslLogin, name, b"", Evidence::Password(password)))
}
