//! Finds passwords in octets and text, in every form in which a login sends them and a server may echo them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::code::ResponseCode;
use super::imap::command::quoted_escapes;
use super::outcome::{Outcome, Proof, Reply};
use super::outgoing::PLACEHOLDER;
use crate::notation::escape;
use crate::secret::Password;

/// The shortest form that is masked: masking every single letter of a short password would leave no text, and would
/// give the password away by the gaps.
pub const SHORTEST: usize = 3;

/// Masks passwords.
#[derive(Clone)]
pub struct Redactor {
    secrets: Vec<Password>,
    /// By the octets with which they begin.
    forms: HashMap<[u8; SHORTEST], Vec<Form>>,
}

/// One way in which a password may be spelt.
#[derive(Clone)]
struct Form {
    octets: Password,
    /// Whether the neighbouring BASE64 letter carries bits of the password too.
    shared_before: bool,
    shared_after: bool,
}

impl Redactor {
    /// A redactor for these passwords: as they are, escaped for a quoted string or a SCRAM name, and in UTF-16, as NTLM
    /// has its texts; each of these in our own notation for octets (what is told of a server's words is in it before it is
    /// looked through), in hexadecimal, and in BASE64 both alone and inside of a longer text
    /// (PLAIN's message, say) at each of the three alignments; all of these percent-encoded as well.
    pub fn new(passwords: &[Password]) -> Self {
        let mut redactor = Self { secrets: Vec::new(), forms: HashMap::new() };
        redactor.add(passwords);
        redactor
    }

    /// A redactor for these passwords besides those of another.
    pub fn extended(known: &Arc<Self>, more: &[Password]) -> Arc<Self> {
        let unknown: Vec<Password> = more.iter().filter(|more| !known.secrets.contains(more)).cloned().collect();
        if unknown.is_empty() {
            return Arc::clone(known);
        }
        let mut extended = Self::clone(known);
        extended.add(&unknown);
        Arc::new(extended)
    }

    fn add(&mut self, passwords: &[Password]) {
        for password in passwords {
            let octets = password.expose();
            let mut spelt = BTreeSet::from([octets.to_vec(), quoted_escapes(octets), scram_escapes(octets)]);
            let in_utf_16: Vec<_> =
                spelt.iter().filter_map(|octets| Some(utf_16(std::str::from_utf8(octets).ok()?))).collect();
            spelt.extend(in_utf_16);
            for octets in spelt {
                for encoded in [hex(&octets), hex(&octets).to_ascii_uppercase(), escape(&octets)] {
                    self.add_form(encoded.into_bytes(), false, false);
                }
                for alignment in 0..3 {
                    self.add_base64(&octets, alignment);
                }
                self.add_form(octets, false, false);
            }
            self.secrets.push(password.clone());
        }
    }

    fn add_form(&mut self, octets: Vec<u8>, shared_before: bool, shared_after: bool) {
        let Some(start) = octets.first_chunk::<SHORTEST>() else { return };
        let forms = self.forms.entry(*start).or_default();
        if !forms.iter().any(|form| form.octets.expose() == octets) {
            forms.push(Form { octets: Password::new(octets), shared_before, shared_after });
        }
    }

    /// Adds the BASE64 letters that the password alone decides where `alignment` octets (modulo 3) precede it. The
    /// letters at its ends may hold bits of its neighbours.
    fn add_base64(&mut self, octets: &[u8], alignment: usize) {
        let mut padded = vec![0; alignment];
        padded.extend_from_slice(octets);
        let letters = STANDARD_NO_PAD.encode(&padded).into_bytes();
        let bits = padded.len() * 8;
        let inner = (alignment * 8).div_ceil(6)..bits / 6;
        if let Some(inner) = letters.get(inner) {
            self.add_form(inner.to_vec(), alignment != 0, !bits.is_multiple_of(6));
        }
    }

    /// The octets with every password replaced by `<password>`.
    pub fn redact(&self, octets: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(octets.len());
        let mut at = 0;
        for masked in self.find(octets) {
            redacted.extend_from_slice(octets.get(at..masked.start).unwrap_or_default());
            redacted.extend_from_slice(PLACEHOLDER.as_bytes());
            at = masked.end;
        }
        redacted.extend_from_slice(octets.get(at..).unwrap_or_default());
        redacted
    }

    /// The text with every password replaced by `<password>`.
    pub fn redact_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned()
    }

    /// The outcome without any password in the server's words. Judge an outcome first, then redact it.
    pub fn redact_outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Opened { mailbox, proof } => {
                let proof = match proof {
                    Proof::Fingerprint(octets) => Proof::Fingerprint(self.redact(&octets)),
                    other => other,
                };
                Outcome::Opened { mailbox: mailbox.map(|mailbox| self.redact(&mailbox)), proof }
            }
            Outcome::Unbound(reply) => Outcome::Unbound(self.redact_reply(reply)),
            Outcome::Rejected(reply) => Outcome::Rejected(self.redact_reply(reply)),
            Outcome::Bad(reply) => Outcome::Bad(self.redact_reply(reply)),
            Outcome::Undelivered(reply) => Outcome::Undelivered(self.redact_reply(reply)),
            Outcome::Closed { stage, farewell } => {
                Outcome::Closed { stage, farewell: farewell.map(|reply| self.redact_reply(reply)) }
            }
            Outcome::Diverged { step, got, index } => Outcome::Diverged { step, got: self.redact(&got), index },
            // It may show what came in the place of TLS.
            Outcome::TlsFailed(reason) => Outcome::TlsFailed(self.redact_text(&reason)),
            Outcome::Surveyed(_)
            | Outcome::Delivered
            | Outcome::NotOffered(_)
            | Outcome::NoAnswer(_)
            | Outcome::Garbled { .. }
            | Outcome::Followed => outcome,
        }
    }

    fn redact_reply(&self, reply: Reply) -> Reply {
        let code = reply.code.map(|code| match code {
            ResponseCode::Capability(words) => {
                ResponseCode::Capability(words.iter().map(|word| self.redact(word)).collect())
            }
            ResponseCode::Referral(url) => ResponseCode::Referral(self.redact(&url)),
            ResponseCode::Other(raw) => ResponseCode::Other(self.redact(&raw)),
            plain => plain,
        });
        Reply { code, text: self.redact(&reply.text) }
    }

    /// Where passwords are: in order, and without overlap.
    pub(crate) fn find(&self, octets: &[u8]) -> Vec<Range<usize>> {
        let mut found = self.find_as_it_is(octets);
        if octets.contains(&b'%') {
            let (decoded, places) = percent_decoded(octets);
            let place = |at: usize| places.get(at).copied().unwrap_or(octets.len());
            found.extend(self.find_as_it_is(&decoded).into_iter().map(|mask| place(mask.start)..place(mask.end)));
            found.sort_by_key(|mask| mask.start);
        }
        let mut masks = Vec::with_capacity(found.len());
        for mask in found {
            merge(&mut masks, mask);
        }
        masks
    }

    fn find_as_it_is(&self, octets: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, start) in octets.windows(SHORTEST).enumerate() {
            let forms = start.first_chunk::<SHORTEST>().and_then(|start| self.forms.get(start));
            let rest = octets.get(at..).unwrap_or_default();
            for form in forms.into_iter().flatten() {
                let spelt = form.octets.expose();
                if rest.starts_with(spelt) {
                    let shared = |shared: bool, neighbour: Option<&u8>| shared && neighbour.is_some_and(is_base64);
                    let before = at.checked_sub(1).and_then(|before| octets.get(before));
                    let start = at - usize::from(shared(form.shared_before, before));
                    let end = at + spelt.len();
                    merge(&mut found, start..end + usize::from(shared(form.shared_after, octets.get(end))));
                }
            }
        }
        found
    }

    /// Where the beginning of a password starts that the end of `octets` cuts off.
    pub(crate) fn find_cut_off(&self, octets: &[u8]) -> Option<usize> {
        let forms = || self.forms.values().flatten().map(|form| form.octets.expose());
        let longest = forms().map(<[u8]>::len).max()?;
        (octets.len().saturating_sub(longest)..octets.len()).find(|start| {
            let tail = octets.get(*start..).unwrap_or_default();
            forms().any(|form| form.starts_with(tail))
        })
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.values().map(Vec::len).sum::<usize>())
    }
}

/// Adds `range`, whose start is not much smaller than that of the last one, to ranges in order.
pub(crate) fn merge(ranges: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    while let Some(last) = ranges.last()
        && range.start < last.end
    {
        range = range.start.min(last.start)..range.end.max(last.end);
        ranges.pop();
    }
    ranges.push(range);
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The octets without their percent-encoding (RFC 3986 §2.1), whoever used it for which of them; and where each came from.
fn percent_decoded(octets: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut decoded, mut places) = (Vec::with_capacity(octets.len()), Vec::with_capacity(octets.len()));
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let digit = |offset: usize| octets.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16));
        let encoded = digit(1).zip(digit(2)).filter(|_| octet == b'%');
        let value = encoded.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        decoded.push(value.unwrap_or(octet));
        places.push(at);
        at += if value.is_some() { 3 } else { 1 };
    }
    (decoded, places)
}

/// With `,` as `=2C` and `=` as `=3D` (RFC 5802 §5.1).
fn scram_escapes(octets: &[u8]) -> Vec<u8> {
    let escaped = octets.iter().map(|octet| match octet {
        b',' => &b"=2C"[..],
        b'=' => b"=3D",
        octet => std::slice::from_ref(octet),
    });
    escaped.collect::<Vec<_>>().concat()
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn is_base64(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn redacted(password: &str, text: &str) -> String {
        Redactor::new(&[Password::new(password)]).redact_text(text)
    }

    #[test]
    fn every_form_is_masked() {
        assert_eq!(redacted("Secret-1", "no Secret-1 here"), "no <password> here");
        assert_eq!(redacted(r#"a"b\c"#, r#"LOGIN "x" "a\"b\\c""#), r#"LOGIN "x" "<password>""#);
        assert_eq!(redacted("a{b}", "said a{b}, shown a{{b}}"), "said <password>, shown <password>");
        assert_eq!(redacted("abc", "616263 and 4a 616263"), "<password> and 4a <password>");
        assert_eq!(redacted("jkl", "6A6B6C"), "<password>");
        assert_eq!(redacted("test", "AHRlc3QAdGVzdA=="), "A<password>A<password>==");
    }

    #[test]
    fn what_else_a_server_may_make_of_a_name_is_masked() {
        let encoded = STANDARD.encode(utf_16("Pa,ss word"));
        assert_eq!(redacted("Pa,ss word", &encoded), "<password>=");
        assert_eq!(redacted("Pa,ss word", "imap://Pa%2Css%20word@host"), "imap://<password>@host");
        assert_eq!(redacted("Pa,ss word", "imap://Pa%2css%20word@host"), "imap://<password>@host");
        assert_eq!(redacted("Pa,ss", "n=Pa=2Css,r="), "n=<password>,r=");
        assert_eq!(redacted("ab", "6100620041"), "<password>41");
    }

    #[test]
    fn more_passwords_come_to_those_that_are_known() {
        let known = Arc::new(Redactor::new(&[Password::new("Secret")]));
        let extended = Redactor::extended(&known, &[Password::new("Secret"), Password::new("other")]);
        assert_eq!(extended.redact_text("Secret other"), "<password> <password>");
        assert!(Arc::ptr_eq(&known, &Redactor::extended(&known, &[Password::new("Secret")])));
    }

    #[test]
    fn base64_is_masked_at_every_alignment() {
        let password = "Secret-User1";
        for before in 0..6 {
            for after in 0..4 {
                let encoded = STANDARD.encode(format!("{}{password}{}", "x".repeat(before), "y".repeat(after)));
                let shown = redacted(password, &encoded);
                assert!(shown.contains(PLACEHOLDER), "{encoded} became {shown}");
                let left = shown.replace(PLACEHOLDER, "").len();
                assert!(left <= (before + after) * 4 / 3 + 4, "{encoded} became {shown}");
            }
        }
    }

    #[test]
    fn short_and_empty_passwords_leave_the_text_alone() {
        assert_eq!(redacted("", "any text"), "any text");
        assert_eq!(redacted("a", "a banana"), "a banana");
    }

    #[test]
    fn overlapping_passwords_are_one_mask() {
        let redactor = Redactor::new(&[Password::new("abcd"), Password::new("cdef")]);
        assert_eq!(redactor.redact_text("xabcdefx abcd"), "x<password>x <password>");
        assert_eq!(redacted("aaa", "aaaaa"), "<password>");
    }

    #[test]
    fn a_beginning_at_the_end_is_found() {
        let redactor = Redactor::new(&[Password::new("Secret")]);
        assert_eq!(redactor.find_cut_off(b"no Secre"), Some(3));
        assert_eq!(redactor.find_cut_off(b"no secre"), None);
        assert_eq!(Redactor::new(&[]).find_cut_off(b"abc"), None);
    }

    #[test]
    fn an_outcome_is_redacted() {
        let redactor = Redactor::new(&[Password::new("Secret")]);
        let outcome = Outcome::Rejected(Reply::from_text(b"[X Secret] not Secret"));
        let Outcome::Rejected(reply) = redactor.redact_outcome(outcome) else {
            return;
        };
        assert_eq!(reply, Reply::from_text(b"[X <password>] not <password>"));
        let failed = Outcome::TlsFailed("it began with `* OK Secret`".to_owned());
        let shown = "it began with `* OK <password>`".to_owned();
        assert_eq!(redactor.redact_outcome(failed), Outcome::TlsFailed(shown));
        assert_eq!(format!("{redactor:?}"), "Redactor(11 forms)");
    }
}
