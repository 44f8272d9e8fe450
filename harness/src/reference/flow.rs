//! What becomes of a connection after each piece of input.

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The session waits for more octets.
    Continue,
    /// The replies are to be sent, and then TLS begun; then `Session::secured` is due. What comes until then is nobody's.
    StartTls,
    /// The replies are to be sent, and then the connection closed.
    Close,
    /// Everything that comes is to be read and ignored, for ever. Only flaws do so.
    Hang,
}
