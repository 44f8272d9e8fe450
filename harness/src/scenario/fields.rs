//! What a scenario file may hold: for the reader, and for the schema that editors use.

use super::expectation::{Expectation, Level};
use crate::axes::{Encoding, Fault, Mechanism, Protocol, Security};
use crate::source::{Field, Kind};

const PROTOCOL: Field = Field::new("protocol", Kind::Words(Protocol::WORDS), "The protocols.");
const MECHANISM: Field = Field::new(
    "mechanism",
    Kind::Words(Mechanism::WORDS),
    "How the credentials travel: LOGIN and USER/PASS, or a SASL mechanism.",
);
const ENCODING: Field = Field::new("encoding", Kind::Words(Encoding::WORDS), "How the octets are spelt on the wire.");
const SECURITY: Field = Field::new("security", Kind::Words(Security::WORDS), "What protects the connection.");
const FAULT: Field =
    Field::new("fault", Kind::WordOrWords(Fault::WORDS), "How the client is wrong on purpose; left out: not at all.");
const EACH: Field = Field::new("each", Kind::Custom(EACH_SCHEMA), "What stands in the place of `{each}`, one by one.");
const EACH_SCHEMA: &str = r#""oneOf": [
      { "enum": ["printable", "control", "high", "specials"] },
      { "type": "object", "additionalProperties": { "type": "string" } }
    ]"#;
const NEEDS: Field =
    Field::new("needs", Kind::Texts, "Capabilities without which this is not put to a server, in upper case.");
const LACKS: Field =
    Field::new("lacks", Kind::Texts, "Capabilities with which this is not put to a server, in upper case.");
const CITES: Field =
    Field::new("cites", Kind::Texts, "The rules that this rests on: RFC sections, KB numbers, reports.");
const LEVEL: Field = Field::new("level", Kind::Word(Level::WORDS), "How binding they are (RFC 2119); must by default.");
const DIALECTS: Field =
    Field::new("dialects", Kind::Texts, "The dialects to which this applies; left out: every dialect.");
const ACCOUNT: &str = r#""type": ["string", "array"], "items": { "type": "string" }"#;
const EXPECT: &str = "\"$ref\": \"#/$defs/expect\"";

/// What an expectation may hold where it is a table.
pub(super) const EXPECT_FIELDS: &[Field] = &[
    Field::new("opens", Kind::Text, "The mailbox that opens; its canary proves it."),
    Field::new("any", Kind::Custom(EXPECT), "Any of these will do."),
];

/// What a scenario file may hold.
pub const SCENARIO_FIELDS: &[Field] = &[
    Field::new("title", Kind::Text, "The behaviour in one sentence."),
    Field::new("about", Kind::Text, "More about it."),
    CITES,
    LEVEL,
    DIALECTS,
    NEEDS,
    LACKS,
    Field::new(
        "once",
        Kind::Flag,
        "Whether one dialect is enough: what is tested does not depend on how login names are read.",
    ),
    Field::new(
        "matrix",
        Kind::Table(&[
            Field::new("account", Kind::Custom(ACCOUNT), "The roles that log in."),
            PROTOCOL,
            MECHANISM,
            ENCODING,
            SECURITY,
            FAULT,
            EACH,
        ]),
        "Every combination is one case; combinations that make no sense are left out.",
    ),
    Field::new(
        "case",
        Kind::Tables(&[
            Field::new("id", Kind::Text, "The case's name within the file: a slug, never a position."),
            Field::new("about", Kind::Text, "What the case shows."),
            CITES,
            LEVEL,
            DIALECTS,
            NEEDS,
            LACKS,
            PROTOCOL,
            MECHANISM,
            ENCODING,
            SECURITY,
            FAULT,
            EACH,
            Field::new("account", Kind::Custom(ACCOUNT), "The role that logs in, or several; `same` by default."),
            Field::new("login", Kind::Text, "The login name, with the role's values in braces. Use single quotes."),
            Field::new("form", Kind::Text, "The form that the login name has: a row of the table of forms by servers."),
            Field::new("authzid", Kind::Text, "SASL's authorization identity, as `login`; left out: none is sent."),
            Field::new(
                "password",
                Kind::Text,
                "`right` (the default), `wrong`, `empty`, or a text such as '{twin.password}'.",
            ),
            Field::new(
                "against",
                Kind::Table(&[
                    Field::new("login", Kind::Text, "The other login name."),
                    Field::new("password", Kind::Text, "The other password, as in `password`."),
                ]),
                "The login whose refusal must look the same, for expect = \"indistinguishable\".",
            ),
            Field::new("expect", Kind::Custom(EXPECT), "What should happen."),
            Field::new("code", Kind::Text, "The response code that the refusal should carry."),
            Field::new(
                "dialogue",
                Kind::Text,
                "A script of `C:`, `S:` and `TLS` lines, instead of `login` and `expect`.",
            ),
        ]),
        "The cases.",
    ),
];

/// The JSON Schema of scenario files.
pub fn scenario_schema() -> String {
    let body = crate::source::schema("loginspec scenario", SCENARIO_FIELDS);
    let words: Vec<String> = Expectation::WORDS.iter().map(|word| format!("\"{word}\"")).collect();
    let defs = format!(
        r##"  "$defs": {{
    "expect": {{
      "oneOf": [
        {{ "enum": [{}] }},
        {{
          "type": "object",
          "additionalProperties": false,
          "required": ["opens"],
          "properties": {{ "opens": {{ "type": "string" }} }}
        }},
        {{
          "type": "object",
          "additionalProperties": false,
          "required": ["any"],
          "properties": {{ "any": {{ "type": "array", "items": {{ "$ref": "#/$defs/expect" }} }} }}
        }}
      ]
    }}
  }},
"##,
        words.join(", ")
    );
    match body.split_once("  \"type\": \"object\"") {
        Some((head, tail)) => {
            format!("{head}{defs}  \"required\": [\"title\", \"case\"],\n  \"type\": \"object\"{tail}")
        }
        None => body,
    }
}
