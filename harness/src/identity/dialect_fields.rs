//! What a dialect file may hold: for the reader, and for the schema that editors use.

use super::failure::{Cause, Manner};
use super::provenance::Confidence;
use crate::axes::{Mechanism, Protocol};
use crate::source::{Field, Kind};

/// The occurrences of a separator that can be meant.
pub(super) const ENDS: &[&str] = &["first", "last"];

pub(super) const PARTS: &[&str] = &["domain", "user", "mailbox", "master", "detail"];
const CASES: &[&str] = &["preserved", "insensitive", "lower", "lower-unicode"];
pub(super) const UNSPECIFIED: &str = "unspecified";
const OTHER_NAMES: &[&str] = &["rejected", UNSPECIFIED];
const PROTOCOL: Field =
    Field::new("protocol", Kind::Words(Protocol::WORDS), "The protocols in which this applies; left out: both.");
const MECHANISM: Field =
    Field::new("mechanism", Kind::Words(Mechanism::WORDS), "The mechanisms with which this applies; left out: all.");
const CITES: Field = Field::new("cites", Kind::Texts, "Where this is from: documents, source files, reports.");
const CONFIDENCE: Field = Field::new(
    "confidence",
    Kind::Word(Confidence::WORDS),
    "How sure it is: documented by vendor or standard, observed in source or on the wire, or inferred.",
);

/// What a dialect file may hold.
pub const DIALECT_FIELDS: &[Field] = &[
    Field::new("title", Kind::Text, "Whose rules these are."),
    Field::new("about", Kind::Text, "How the server reads names, in a sentence or two."),
    Field::new("separators", Kind::Text, "The octets at which a part of a login name may end."),
    Field::new("case", Kind::Word(CASES), "How names are compared."),
    Field::new(
        "other-names",
        Kind::Word(OTHER_NAMES),
        "What becomes of a name that no account has by these rules: rejected (the default), or unspecified.",
    ),
    Field::new("protocols", Kind::Words(Protocol::WORDS), "The protocols that such a server speaks."),
    Field::new("mechanisms", Kind::Words(Mechanism::WORDS), "The mechanisms that it offers."),
    Field::new("requires-tls", Kind::Flag, "Whether it takes no password without TLS."),
    Field::new(
        "master",
        Kind::Table(&[
            Field::new("separator", Kind::Text, "The octet between account and master."),
            Field::new("account-ends", Kind::Word(ENDS), "The occurrence of the separator that ends the account."),
            Field::new(
                "master-starts",
                Kind::Word(ENDS),
                "The occurrence of the separator after which the master starts.",
            ),
            CITES,
            CONFIDENCE,
        ]),
        "How a name with a master user is split, before anything else.",
    ),
    Field::new(
        "restriction",
        Kind::Tables(&[
            Field::new("about", Kind::Text, "The rule in words."),
            PROTOCOL,
            MECHANISM,
            Field::new(
                "part",
                Kind::Word(&["name", "account", "parts", "domain", "user", "mailbox", "master", "detail"]),
                "What the rule looks at: the whole name (the default), the account half, each part, or one part.",
            ),
            Field::new("longest", Kind::Number, "The most octets."),
            Field::new("allows", Kind::Texts, "The only octets taken: ranges such as 'a-z', or octets one by one."),
            Field::new("forbids", Kind::Texts, "Octets that are not taken."),
            CITES,
            CONFIDENCE,
        ]),
        "What the server refuses by length or alphabet.",
    ),
    Field::new(
        "rule",
        Kind::Tables(&[
            Field::new("form", Kind::Text, "The form of the names that the rule covers."),
            PROTOCOL,
            MECHANISM,
            Field::new("separators", Kind::Text, "The separators for this rule alone."),
            Field::new("lacks", Kind::Text, "Octets that the name must not hold."),
            Field::new(
                "holds",
                Kind::Table(&[
                    Field::new("domain", Kind::Text, "Octets of which the domain must hold one."),
                    Field::new("user", Kind::Text, "Octets of which the user must hold one."),
                    Field::new("mailbox", Kind::Text, "Octets of which the mailbox must hold one."),
                ]),
                "A part, and octets of which it must hold one.",
            ),
            Field::new(
                "assume",
                Kind::Table(&[
                    Field::new("domain", Kind::Word(&["home"]), "The domain is the server's own."),
                    Field::new("user", Kind::Word(&["mailbox"]), "The user is called like the mailbox."),
                    Field::new("mailbox", Kind::Word(&["user"]), "The mailbox is called like the user."),
                ]),
                "What the server fills in.",
            ),
            Field::new("refuses", Kind::Text, "The server refuses such names, for this reason."),
            Field::new("unspecified", Kind::Text, "Nobody knows what the server does, in this respect."),
            Field::new("ambiguous", Kind::Text, "Later rules may add readings, for this reason."),
            CITES,
            CONFIDENCE,
        ]),
        "How names are read: the first rule that fits decides.",
    ),
    Field::new(
        "failure",
        Kind::Tables(&[
            Field::new("on", Kind::Words(Cause::WORDS), "The causes that this answers for."),
            PROTOCOL,
            MECHANISM,
            Field::new("does", Kind::Word(Manner::WORDS), "What the server does."),
            Field::new("code", Kind::Text, "The response code, without brackets."),
            Field::new("text", Kind::Text, "The text; '' for none at all."),
            CITES,
            CONFIDENCE,
        ]),
        "How the server answers failures: the first that fits decides.",
    ),
];
