//! What a context is bound to.

use sockless_core::ChannelBinding;

/// The application data of a channel binding (RFC 5929 section 4, RFC 9266 section 3): the type's
/// name comes first. `None`: a type that no peer looks for.
pub(crate) fn application_data(kind: ChannelBinding, channel: &[u8]) -> Option<Vec<u8>> {
    let name: &[u8] = match kind {
        ChannelBinding::TlsServerEndPoint => b"tls-server-end-point:",
        ChannelBinding::TlsExporter => b"tls-exporter:",
        _ => return None,
    };
    Some([name, channel].concat())
}
