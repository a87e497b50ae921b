//! How types of other crates look in a JSON schema.

/// An address: 0x and 40 hexadecimal digits.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$", example = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")]
pub struct AddressText(pub String);

/// 32 bytes: 0x and 64 hexadecimal digits.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{64}$")]
pub struct Bytes32Text(pub String);

/// Bytes: 0x and hexadecimal digits.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^0x([0-9a-fA-F]{2})*$")]
pub struct BytesText(pub String);

/// A whole number that may be wider than a JSON reader's numbers, as decimal text.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^[0-9]{1,39}$", example = "1000000000000000000")]
pub struct NumberText(pub String);

/// What disagrees: `kind` names it, the other fields tell how; `halted_because` says it in a sentence.
#[derive(Debug, utoipa::ToSchema)]
pub struct EvidenceObject {
    /// Stable name of the contradiction.
    pub kind: String,
    /// What it is about.
    #[schema(additional_properties)]
    #[serde(flatten)]
    pub more: std::collections::HashMap<String, serde_json::Value>,
}
