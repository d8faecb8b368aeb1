// sockless: the transfer library for programs that own their I/O. The interface of C.
//
// Made by `cargo xtask header`; docs/guide.md has an introduction, crates/capi/examples programs.
//
// The library opens no socket, starts no thread, reads no clock and installs no signal handler. A
// program asks sockless_engine_poll what to do, does it on its own sockets and its own
// completion engine, and says so with sockless_engine_complete.
//
// Every function returns a status: 0 is success, a negative one a refusal. Every misuse of a
// handle, a pointer that is NULL, a text that is none, is a status and nothing worse.
//
// Texts are given as pointer and length, and need no NUL at their end: SOCKLESS_STR(text) makes
// both of one that has it.

#ifndef SOCKLESS_H
#define SOCKLESS_H

#include <stddef.h>
#include <stdint.h>

#define SOCKLESS_STR(text) (text), strlen(text)
#include <string.h>

// The number that means: never, no bound, not known.
#define SOCKLESS_NEVER UINT64_MAX

// What a function returns: 0 is success, negative is a refusal that changed nothing, unless
// the function says otherwise.
enum sockless_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    SOCKLESS_STATUS_OK = 0,
    // `sockless_engine_close` only: it is closed, and keeps the memory of operations and data
    // that the program still has to bring back.
    SOCKLESS_STATUS_IN_FLIGHT = 1,
    // A pointer or a handle is NULL or 0 that must not be.
    SOCKLESS_STATUS_NULL = -1,
    // The engine is not open: never opened, closed already, or a copy of one that is.
    SOCKLESS_STATUS_CLOSED = -2,
    // The engine is in another call: of another thread, or of one that an allocator interrupts.
    SOCKLESS_STATUS_BUSY = -3,
    // An earlier call met a bug of sockless. Complete what is in flight, and close the engine.
    SOCKLESS_STATUS_POISONED = -4,
    // This call met a bug of sockless; the engine is poisoned now.
    SOCKLESS_STATUS_PANIC = -5,
    // The handle is none of this engine's.
    SOCKLESS_STATUS_FOREIGN = -6,
    // The handle names another kind of thing.
    SOCKLESS_STATUS_KIND = -7,
    // The handle was used up: completed, ended, freed.
    SOCKLESS_STATUS_STALE = -8,
    // There is no such option, or it does not take such a value.
    SOCKLESS_STATUS_OPTION = -9,
    // The value is out of its range.
    SOCKLESS_STATUS_RANGE = -10,
    // The text is not UTF-8, or has a NUL inside.
    SOCKLESS_STATUS_TEXT = -11,
    // The text is longer than can be meant.
    SOCKLESS_STATUS_TOO_LONG = -12,
    // It is too late, or too early, for that: `sockless_engine_error` says why.
    SOCKLESS_STATUS_ORDER = -13,
    // The result cannot be that operation's: more bytes than there is room, or no error code.
    SOCKLESS_STATUS_RESULT = -14,
    // There is no such thing at that index.
    SOCKLESS_STATUS_INDEX = -15,
    // The engine has as many of these as it can have.
    SOCKLESS_STATUS_FULL = -16,
    // sockless refuses it: `sockless_engine_error` says why, with layer, culprit and reason.
    SOCKLESS_STATUS_REFUSED = -17,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_status sockless_status;
#else
typedef int32_t sockless_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What to do.
enum sockless_operation_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Look `host` up, for `port`: `sockless_operation_add_address` for each address found, then
    // complete with 0.
    SOCKLESS_OPERATION_KIND_RESOLVE = 1,
    // Make a socket of `family` and `socket_type`, bind it to `local` if that is not NULL, and
    // connect it to `address`; complete with 0.
    SOCKLESS_OPERATION_KIND_CONNECT = 2,
    // Receive into `buffers[0]`, and complete with the number of bytes; 0 is the peer's end.
    SOCKLESS_OPERATION_KIND_RECEIVE = 3,
    // Send the bytes of `buffers` in order, and complete with how many were taken.
    SOCKLESS_OPERATION_KIND_SEND = 4,
    // Shut the sending direction down; complete with 0.
    SOCKLESS_OPERATION_KIND_SHUTDOWN = 5,
    // Close the socket; complete with 0. Nothing else of it is in flight then.
    SOCKLESS_OPERATION_KIND_CLOSE = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_operation_kind sockless_operation_kind;
#else
typedef uint32_t sockless_operation_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What the engine wants next.
enum sockless_output_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing until a completion, a call of the program's, or `deadline`. Ends the round.
    SOCKLESS_OUTPUT_KIND_WAIT = 1,
    // Carry `operation` out, and complete it.
    SOCKLESS_OUTPUT_KIND_SUBMIT = 2,
    // End the operation of that `operation.id` early if you can; it must still be completed.
    SOCKLESS_OUTPUT_KIND_CANCEL = 3,
    // `event` happened to a transfer.
    SOCKLESS_OUTPUT_KIND_EVENT = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_output_kind sockless_output_kind;
#else
typedef uint32_t sockless_output_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What happened.
enum sockless_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A tunnel is open: bytes may pass both ways.
    SOCKLESS_EVENT_KIND_OPEN = 1,
    // An interim answer (HTTP 1xx): `code`, fields, `data` is the head as it came.
    SOCKLESS_EVENT_KIND_INTERIM = 2,
    // The answer's head: `code`, fields, `body_length`, `data` is the head as it came.
    SOCKLESS_EVENT_KIND_HEAD = 3,
    // The transfer goes elsewhere: `data` is the URL, `code`, fields.
    SOCKLESS_EVENT_KIND_REDIRECT = 4,
    // The request is sent again with credentials: `code`, fields.
    SOCKLESS_EVENT_KIND_CHALLENGED = 5,
    // A piece of the body, or of what a tunnel's peer sends: `data`.
    SOCKLESS_EVENT_KIND_DATA = 6,
    // Fields after the body.
    SOCKLESS_EVENT_KIND_TRAILERS = 7,
    // A tunnel's peer sends nothing more.
    SOCKLESS_EVENT_KIND_PEER_FINISHED = 8,
    // Body is wanted: `sockless_transfer_send` or `sockless_transfer_finish`, now or
    // later; it is not asked for again before. `room` can be taken at once.
    SOCKLESS_EVENT_KIND_WANT_BODY = 9,
    // The body has to be sent again from its beginning.
    SOCKLESS_EVENT_KIND_REWIND_BODY = 10,
    // A step of the transfer in words: `data`.
    SOCKLESS_EVENT_KIND_NOTE = 11,
    // The end: `error` is NULL if it is a good one, and `summary`. The handle is void.
    SOCKLESS_EVENT_KIND_DONE = 12,
    // A layer wants to know something: `asked`. The transfer waits for the answer, now or later; its
    // timeouts but the total one stand still.
    SOCKLESS_EVENT_KIND_ASKED = 13,
    // A piece of what a command wrote to its standard error: `data`.
    SOCKLESS_EVENT_KIND_STDERR = 14,
    // A file or directory at the peer: `entry`. In a transfer of files, Data up to the next EntryDone is
    // what is in it.
    SOCKLESS_EVENT_KIND_ENTRY = 15,
    // The last entry is complete if `error` is NULL; in transfers of many files, which go on after
    // one of them has failed.
    SOCKLESS_EVENT_KIND_ENTRY_DONE = 16,
    // The room on a file system: `file_system`.
    SOCKLESS_EVENT_KIND_FILE_SYSTEM = 17,
    // A command has ended: `exit`, and `code`, or the signal's name without `SIG` as `data`.
    SOCKLESS_EVENT_KIND_EXITED = 18,
    // The peer has `offset` bytes of the body already: the first one that is asked for is behind them.
    SOCKLESS_EVENT_KIND_RESUME_AT = 19,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_event_kind sockless_event_kind;
#else
typedef uint32_t sockless_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What exactly happened, for programs to decide on.
enum sockless_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing happened, or something that this version has no code for.
    SOCKLESS_REASON_NONE = 0,
    // The host name has no address.
    SOCKLESS_REASON_RESOLVE = 1,
    // No address could be connected to.
    SOCKLESS_REASON_CONNECT = 2,
    // Connecting took too long.
    SOCKLESS_REASON_CONNECT_TIMEOUT = 3,
    // The security handshake took too long.
    SOCKLESS_REASON_HANDSHAKE_TIMEOUT = 4,
    // The request was sent and no answer began in time.
    SOCKLESS_REASON_FIRST_BYTE_TIMEOUT = 5,
    // Nothing moved for too long.
    SOCKLESS_REASON_IDLE_TIMEOUT = 6,
    // The transfer as a whole took too long.
    SOCKLESS_REASON_TOTAL_TIMEOUT = 7,
    // It was slower than the low-speed limit for too long.
    SOCKLESS_REASON_LOW_SPEED = 8,
    // The security handshake failed.
    SOCKLESS_REASON_HANDSHAKE = 9,
    // The peer's certificate is not trusted.
    SOCKLESS_REASON_CERTIFICATE = 10,
    // The peer's public key is not one of those that were pinned.
    SOCKLESS_REASON_PIN_MISMATCH = 11,
    // A proxy will not open the tunnel, or breaks its protocol's rules.
    SOCKLESS_REASON_PROXY = 12,
    // Credentials are missing or were refused, or no scheme is common.
    SOCKLESS_REASON_AUTHENTICATION = 13,
    // A layer's peer wanted the same again on a new connection too often.
    SOCKLESS_REASON_REOPEN = 14,
    // The stream ended without its layer's proper end.
    SOCKLESS_REASON_TRUNCATED = 15,
    // The peer closed before it said anything.
    SOCKLESS_REASON_EMPTY_REPLY = 16,
    // The body is shorter than announced.
    SOCKLESS_REASON_PARTIAL_BODY = 17,
    // The bytes are not what the protocol allows.
    SOCKLESS_REASON_MALFORMED = 18,
    // The peer speaks something else.
    SOCKLESS_REASON_WRONG_PROTOCOL = 19,
    // Both Content-Length and Transfer-Encoding, or several lengths.
    SOCKLESS_REASON_CONFLICTING_LENGTH = 20,
    // A chunk size that is no number or too big.
    SOCKLESS_REASON_BAD_CHUNK = 21,
    // A folded header line.
    SOCKLESS_REASON_OBSOLETE_FOLD = 22,
    // A CR or LF where none may be.
    SOCKLESS_REASON_BARE_LINE_END = 23,
    // White space between field name and colon.
    SOCKLESS_REASON_SPACE_BEFORE_COLON = 24,
    // The head is larger than allowed.
    SOCKLESS_REASON_HEAD_TOO_LARGE = 25,
    // Too many header fields.
    SOCKLESS_REASON_TOO_MANY_FIELDS = 26,
    // The body is larger than allowed.
    SOCKLESS_REASON_BODY_TOO_LARGE = 27,
    // The content coding is unknown or broken.
    SOCKLESS_REASON_CONTENT_CODING = 28,
    // Receiving failed.
    SOCKLESS_REASON_RECEIVE = 29,
    // Sending failed.
    SOCKLESS_REASON_SEND = 30,
    // Too many redirects.
    SOCKLESS_REASON_TOO_MANY_REDIRECTS = 31,
    // The redirect leads nowhere we go.
    SOCKLESS_REASON_BAD_REDIRECT = 32,
    // The URL cannot be used.
    SOCKLESS_REASON_BAD_URL = 33,
    // The option or the header field cannot be used.
    SOCKLESS_REASON_BAD_REQUEST = 34,
    // The scheme or feature is not built in.
    SOCKLESS_REASON_UNSUPPORTED = 35,
    // The request body ended early or cannot be sent again.
    SOCKLESS_REASON_UPLOAD = 36,
    // The application cancelled.
    SOCKLESS_REASON_CANCELLED = 37,
    // The engine was used wrongly.
    SOCKLESS_REASON_MISUSE = 38,
    // The peer's host key is unknown, has changed, or is revoked.
    SOCKLESS_REASON_HOST_KEY = 39,
    // There is no such file or directory at the peer.
    SOCKLESS_REASON_NOT_FOUND = 40,
    // The peer does not allow it to this user.
    SOCKLESS_REASON_PERMISSION_DENIED = 41,
    // The peer could not do it, and says no more.
    SOCKLESS_REASON_REMOTE_FAILURE = 42,
    // A transfer cannot go on from there.
    SOCKLESS_REASON_BAD_RESUME = 43,
    // A command before or after the transfer failed.
    SOCKLESS_REASON_QUOTE = 44,
    // Some of many files failed.
    SOCKLESS_REASON_INCOMPLETE = 45,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_reason sockless_reason;
#else
typedef uint32_t sockless_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who caused it.
enum sockless_culprit
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nobody.
    SOCKLESS_CULPRIT_NONE = 0,
    // The peer broke a protocol's rules.
    SOCKLESS_CULPRIT_PEER_MISBEHAVED = 1,
    // The peer and we have nothing in common.
    SOCKLESS_CULPRIT_PEER_INCOMPATIBLE = 2,
    // Our own rules refuse it.
    SOCKLESS_CULPRIT_POLICY = 3,
    // The way there: resolver, network, operating system.
    SOCKLESS_CULPRIT_TRANSPORT = 4,
    // A limit or timeout of ours was reached.
    SOCKLESS_CULPRIT_LIMIT = 5,
    // The application called in a way that cannot work.
    SOCKLESS_CULPRIT_MISUSE = 6,
    // The application cancelled it.
    SOCKLESS_CULPRIT_CANCELLED = 7,
    // The peer understands, and will not or cannot.
    SOCKLESS_CULPRIT_PEER_REFUSED = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_culprit sockless_culprit;
#else
typedef uint32_t sockless_culprit;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The layer that failed. New layers get new numbers; `sockless_error.layer_name` names all.
enum sockless_layer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A layer that this version has no number for.
    SOCKLESS_LAYER_OTHER = 0,
    // This interface.
    SOCKLESS_LAYER_CAPI = 1,
    // The engine itself.
    SOCKLESS_LAYER_ENGINE = 2,
    // Name resolution.
    SOCKLESS_LAYER_RESOLVE = 3,
    // The application's socket.
    SOCKLESS_LAYER_SOCKET = 4,
    // The URL.
    SOCKLESS_LAYER_URL = 5,
    // A proxy's settings.
    SOCKLESS_LAYER_PROXY = 6,
    // A CONNECT tunnel.
    SOCKLESS_LAYER_CONNECT = 7,
    // A SOCKS4 proxy.
    SOCKLESS_LAYER_SOCKS4 = 8,
    // A SOCKS5 proxy.
    SOCKLESS_LAYER_SOCKS5 = 9,
    // The PROXY protocol's header.
    SOCKLESS_LAYER_PROXY_PROTOCOL = 10,
    // A tunnel's destination.
    SOCKLESS_LAYER_TUNNEL = 11,
    // TLS.
    SOCKLESS_LAYER_TLS = 12,
    // Authentication.
    SOCKLESS_LAYER_AUTH = 13,
    // HTTP.
    SOCKLESS_LAYER_HTTP = 14,
    // A byte stream.
    SOCKLESS_LAYER_RAW = 15,
    // The stack of layers.
    SOCKLESS_LAYER_STACK = 16,
    // SSH.
    SOCKLESS_LAYER_SSH = 17,
    // Files over SSH.
    SOCKLESS_LAYER_SFTP = 18,
    // Copies over SSH.
    SOCKLESS_LAYER_SCP = 19,
    // A command over SSH.
    SOCKLESS_LAYER_EXEC = 20,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_layer sockless_layer;
#else
typedef uint32_t sockless_layer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Numbers of an engine's. Sizes in bytes, times in nanoseconds.
enum sockless_engine_option
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Connections to one host, port and set of options; 0: no bound. Default 0.
    SOCKLESS_ENGINE_OPTION_CONNECTIONS_PER_HOST = 1,
    // Connections in all; 0: no bound. Default 1000.
    SOCKLESS_ENGINE_OPTION_CONNECTIONS = 2,
    // Idle connections kept for reuse. Default 100.
    SOCKLESS_ENGINE_OPTION_IDLE_CONNECTIONS = 3,
    // How long an idle connection is kept. Default 118 s.
    SOCKLESS_ENGINE_OPTION_IDLE_KEEP = 4,
    // Bound of each pipe between two layers. Default 64 KiB.
    SOCKLESS_ENGINE_OPTION_PIPE = 5,
    // Size of a bulk receive buffer. Default 256 KiB.
    SOCKLESS_ENGINE_OPTION_BULK_RECEIVE = 6,
    // The highest `min` of a receive. Default 128 KiB; 1 turns the hint off.
    SOCKLESS_ENGINE_OPTION_MAX_MIN = 7,
    // Addresses tried for one name. Default 8.
    SOCKLESS_ENGINE_OPTION_ADDRESSES = 8,
    // Memory that the buffer pool keeps. Default 8 MiB.
    SOCKLESS_ENGINE_OPTION_POOLED_MEMORY = 9,
    // 1: receives for which any memory will do come without a buffer, so that an idle connection
    // holds none; `sockless_operation_take_buffer` gives one when bytes are there. Default 0.
    SOCKLESS_ENGINE_OPTION_LAZY_BUFFERS = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_engine_option sockless_engine_option;
#else
typedef uint32_t sockless_engine_option;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Texts of TLS settings.
enum sockless_tls_text
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Certificates of authorities to trust, PEM; several are all trusted. None at all, and
    // `SOCKLESS_TLS_NUMBER_BUILT_IN_ROOTS` not set: Mozilla's, as built in.
    SOCKLESS_TLS_TEXT_CA_PEM = 1,
    // A certificate chain of our own, leaf first, PEM; it needs a key.
    SOCKLESS_TLS_TEXT_CERTIFICATE_PEM = 2,
    // Its private key, PEM.
    SOCKLESS_TLS_TEXT_KEY_PEM = 3,
    // What opens the key (backend openssl only).
    SOCKLESS_TLS_TEXT_KEY_PASSWORD = 4,
    // Certificate revocation lists, PEM; several add up.
    SOCKLESS_TLS_TEXT_CRL_PEM = 5,
    // Pinned public keys: `sha256//BASE64;...`, or one key, PEM.
    SOCKLESS_TLS_TEXT_PIN = 6,
    // Cipher suites of TLS 1.2, with colons between them.
    SOCKLESS_TLS_TEXT_CIPHERS = 7,
    // Cipher suites of TLS 1.3.
    SOCKLESS_TLS_TEXT_TLS13_CIPHERS = 8,
    // Groups for the key exchange.
    SOCKLESS_TLS_TEXT_GROUPS = 9,
    // A protocol to offer by ALPN; several add up, and the empty text is for none. Default
    // `http/1.1`.
    SOCKLESS_TLS_TEXT_ALPN = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_tls_text sockless_tls_text;
#else
typedef uint32_t sockless_tls_text;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Numbers of TLS settings.
enum sockless_tls_number
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // 0: whoever answers is believed. Default 1.
    SOCKLESS_TLS_NUMBER_VERIFY = 1,
    // The lowest version: 12 or 13. Default 12.
    SOCKLESS_TLS_NUMBER_MIN_VERSION = 2,
    // The highest version: 12 or 13. Default 13.
    SOCKLESS_TLS_NUMBER_MAX_VERSION = 3,
    // 1: Mozilla's authorities as well as those that are given.
    SOCKLESS_TLS_NUMBER_BUILT_IN_ROOTS = 4,
    // For how many servers sessions are kept; 0: none. Default 256.
    SOCKLESS_TLS_NUMBER_RESUMPTION = 5,
    // 0: the server's name is not said in the clear. Default 1.
    SOCKLESS_TLS_NUMBER_SERVER_NAME = 6,
    // 1: refuse servers without a stapled OCSP answer (backend openssl only). Default 0.
    SOCKLESS_TLS_NUMBER_REQUIRE_OCSP = 7,
    // 1: rustls, 2: OpenSSL. Default: the first that is built in.
    SOCKLESS_TLS_NUMBER_BACKEND = 8,
    // 1: AWS-LC, 2: ring; for rustls. Default: the first that is built in.
    SOCKLESS_TLS_NUMBER_PROVIDER = 9,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_tls_number sockless_tls_number;
#else
typedef uint32_t sockless_tls_number;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Texts of SSH settings. Files are the program's: what is in them is given here.
enum sockless_ssh_text
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The user at the server, for URLs that name none.
    SOCKLESS_SSH_TEXT_USER = 1,
    // The user's password, for URLs that have none. It is the server's: jump hosts do not get it.
    SOCKLESS_SSH_TEXT_PASSWORD = 2,
    // What is in a private key's file; several are offered one after another.
    SOCKLESS_SSH_TEXT_KEY = 3,
    // What the last key is encrypted with.
    SOCKLESS_SSH_TEXT_KEY_PASSPHRASE = 4,
    // What is in the last key's `.pub` file. It is needed only for an encrypted key in a format
    // that hides it, and no passphrase, so that the program can be asked for that.
    SOCKLESS_SSH_TEXT_KEY_PUBLIC = 5,
    // What is in a `-cert.pub` file: the certificate of one of the keys, or of one in the agent.
    SOCKLESS_SSH_TEXT_CERTIFICATE = 6,
    // The path of an agent's unix socket, e.g. what `SSH_AUTH_SOCK` has.
    SOCKLESS_SSH_TEXT_AGENT = 7,
    // What is in a `known_hosts` file; several add up.
    SOCKLESS_SSH_TEXT_KNOWN_HOSTS = 8,
    // The SHA-256 fingerprint that the host's key must have, in base64; then `KnownHosts` counts only
    // for revoked keys.
    SOCKLESS_SSH_TEXT_HOST_SHA256 = 9,
    // The MD5 fingerprint that the host's key must have, in hexadecimal; the same.
    SOCKLESS_SSH_TEXT_HOST_MD5 = 10,
    // The methods to log in by, best first, with commas between them. Default:
    // `gssapi-with-mic,publickey,keyboard-interactive,password`.
    SOCKLESS_SSH_TEXT_METHODS = 11,
    // Algorithms, as OpenSSH's options have them: a list with commas, which replaces the default's, or is
    // added to it after a `+`, put in front after `^`, taken out after `-`. Here for key exchange.
    SOCKLESS_SSH_TEXT_KEX = 12,
    // Host key algorithms.
    SOCKLESS_SSH_TEXT_HOST_KEY_ALGORITHMS = 13,
    // Ciphers.
    SOCKLESS_SSH_TEXT_CIPHERS = 14,
    // MACs.
    SOCKLESS_SSH_TEXT_MACS = 15,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_ssh_text sockless_ssh_text;
#else
typedef uint32_t sockless_ssh_text;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Numbers of SSH settings. Times in nanoseconds.
enum sockless_ssh_number
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // What is done about keys of hosts that `KnownHosts` does not name: 0 they are refused, 1 they
    // are accepted, and told by `sockless_ssh_take_hosts`, 2 the program is asked (an Asked event), 3 all keys
    // are accepted, also those that have changed: anybody can pose as the host. Default 0.
    SOCKLESS_SSH_NUMBER_NEW_HOSTS = 1,
    // 1: the program is asked for passwords, passphrases, and whatever else the server wants
    // to be typed. Default 0: what is not given is not there.
    SOCKLESS_SSH_NUMBER_ASK = 2,
    // 1: russh, 2: libssh2. Default: the first that is built in.
    SOCKLESS_SSH_NUMBER_LIBRARY = 3,
    // 1: of an agent only those keys are offered that are given here, too. Default 0.
    SOCKLESS_SSH_NUMBER_ONLY_THESE_KEYS = 4,
    // 1: compression is offered first. Default 0.
    SOCKLESS_SSH_NUMBER_COMPRESSION = 5,
    // Bytes that a server may send ahead. Default 8 MiB.
    SOCKLESS_SSH_NUMBER_WINDOW = 6,
    // A silent server is asked for a sign of life after that time; `SOCKLESS_NEVER`: it is not. Default that.
    SOCKLESS_SSH_NUMBER_KEEPALIVE = 7,
    // Keys are exchanged again after so many bytes. Default and most: 1 GiB.
    SOCKLESS_SSH_NUMBER_REKEY_BYTES = 8,
    // And after that time; `SOCKLESS_NEVER`: it does not matter. Default one hour.
    SOCKLESS_SSH_NUMBER_REKEY_TIME = 9,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_ssh_number sockless_ssh_number;
#else
typedef uint32_t sockless_ssh_number;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Texts of Kerberos settings.
enum sockless_kerberos_text
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Who we are, `name` or `name@REALM`. A keytab and a credential cache can say that themselves.
    SOCKLESS_KERBEROS_TEXT_USER = 1,
    // The user's password.
    SOCKLESS_KERBEROS_TEXT_PASSWORD = 2,
    // What is in a `krb5.conf`: `default_realm`, each realm's `kdc`, `domain_realm`. Includes are not
    // followed.
    SOCKLESS_KERBEROS_TEXT_CONFIG = 3,
    // The realm of names that have none.
    SOCKLESS_KERBEROS_TEXT_DEFAULT_REALM = 4,
    // A name server, `address` or `address:port`, that is asked for KDCs which are not given; several
    // add up.
    SOCKLESS_KERBEROS_TEXT_NAME_SERVER = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_kerberos_text sockless_kerberos_text;
#else
typedef uint32_t sockless_kerberos_text;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Bytes of Kerberos settings.
enum sockless_kerberos_data
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // What is in a keytab: a key instead of a password.
    SOCKLESS_KERBEROS_DATA_KEYTAB = 1,
    // What is in a credential cache of type FILE, as `kinit` makes it: tickets that are there already.
    SOCKLESS_KERBEROS_DATA_CCACHE = 2,
    // 32 bytes of the system's random generator, which nobody else knows and no other settings are given.
    // The backend in Rust draws keys and nonces from them, and cannot do without. After fork(2) both
    // processes would draw the same: build the settings after it.
    SOCKLESS_KERBEROS_DATA_RANDOM = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_kerberos_data sockless_kerberos_data;
#else
typedef uint32_t sockless_kerberos_data;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Numbers of Kerberos settings.
enum sockless_kerberos_number
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // 1: KDCs are asked by streams only. Default 0: datagrams come first.
    SOCKLESS_KERBEROS_NUMBER_STREAM_ONLY = 1,
    // Whether servers get tickets to act for the user: 0 never, 1 if the realm says that they may be
    // trusted with them, 2 always. Default 0.
    SOCKLESS_KERBEROS_NUMBER_DELEGATION = 2,
    // 1: MIT Kerberos, 2: the one in Rust. Default: the first that is built in.
    SOCKLESS_KERBEROS_NUMBER_BACKEND = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_kerberos_number sockless_kerberos_number;
#else
typedef uint32_t sockless_kerberos_number;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Texts of a request.
enum sockless_request_text
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // `http://` or `https://`, or with SSH settings `sftp://`, `scp://` (a file, or with a slash at its end a
    // directory), or `ssh://` (a host that is to run a command); takes the place of a tunnel's destination.
    SOCKLESS_REQUEST_TEXT_URL = 1,
    // A tunnel's destination, `host:port`; takes the place of a URL.
    SOCKLESS_REQUEST_TEXT_TUNNEL = 2,
    // The method. Default GET.
    SOCKLESS_REQUEST_TEXT_METHOD = 3,
    // The user at the server; over SSH where the URL names none, and before the settings'.
    SOCKLESS_REQUEST_TEXT_USER = 4,
    // The user's password; over SSH the same.
    SOCKLESS_REQUEST_TEXT_PASSWORD = 5,
    // A bearer token. With a URL of SSH's, starting is `SOCKLESS_STATUS_ORDER`.
    SOCKLESS_REQUEST_TEXT_BEARER = 6,
    // The user at the last proxy, before its password.
    SOCKLESS_REQUEST_TEXT_PROXY_USER = 7,
    // The password at the last proxy.
    SOCKLESS_REQUEST_TEXT_PROXY_PASSWORD = 8,
    // Hosts that are reached without a proxy, as in the variable `no_proxy`; jump hosts stay on the way.
    SOCKLESS_REQUEST_TEXT_NO_PROXY = 9,
    // The path of a unix socket to connect to instead of the URL's host. With a URL of SSH's, starting is
    // `SOCKLESS_STATUS_ORDER`.
    SOCKLESS_REQUEST_TEXT_UNIX_SOCKET = 10,
    // A local address to bind to.
    SOCKLESS_REQUEST_TEXT_LOCAL_ADDRESS = 11,
    // SSH: what the host of an `ssh://` URL runs. The request's body is its standard input; without one that
    // is at its end from the beginning.
    SOCKLESS_REQUEST_TEXT_COMMAND = 12,
    // sftp: a command as curl's `-Q` has it (`rename`, `rm`, `mkdir`, `chmod`, `pwd`, `statvfs` and others) before the
    // transfer, with `-` in front after it, and with `*` allowed to fail; several add up.
    SOCKLESS_REQUEST_TEXT_QUOTE = 13,
    // sftp: a put writes a file with this suffix, which gets its name when it is complete.
    SOCKLESS_REQUEST_TEXT_SUFFIX = 14,
    // Kerberos: the service that contexts are made for. Default `HTTP`.
    SOCKLESS_REQUEST_TEXT_SERVICE = 15,
    // Kerberos: the host that contexts are made for, instead of the URL's.
    SOCKLESS_REQUEST_TEXT_SERVICE_HOST = 16,
    // The service at the last proxy, after its Kerberos settings. Default `HTTP`, of SOCKS5 `rcmd`.
    SOCKLESS_REQUEST_TEXT_PROXY_SERVICE = 17,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_request_text sockless_request_text;
#else
typedef uint32_t sockless_request_text;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Numbers of a request. Times in nanoseconds, `SOCKLESS_NEVER` is never or no bound; what is on or off
// is 1 or 0, and off by default.
enum sockless_request_number
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Resolving and connecting. Default 30 s.
    SOCKLESS_REQUEST_NUMBER_CONNECT_TIMEOUT = 1,
    // All security handshakes together. Default 30 s.
    SOCKLESS_REQUEST_NUMBER_HANDSHAKE_TIMEOUT = 2,
    // Both of these together. Default never.
    SOCKLESS_REQUEST_NUMBER_SETUP_TIMEOUT = 3,
    // From the request's last byte to the answer's first. Default never.
    SOCKLESS_REQUEST_NUMBER_FIRST_BYTE_TIMEOUT = 4,
    // Neither a byte received nor one sent. Default 300 s, of tunnels and over SSH never.
    SOCKLESS_REQUEST_NUMBER_IDLE_TIMEOUT = 5,
    // From start to end. Default never.
    SOCKLESS_REQUEST_NUMBER_TOTAL_TIMEOUT = 6,
    // Head start of one connection attempt before the next. Default 250 ms.
    SOCKLESS_REQUEST_NUMBER_ATTEMPT_DELAY = 7,
    // Fewer bytes per second than this, for as long as the next one says, is a failure.
    SOCKLESS_REQUEST_NUMBER_LOW_SPEED = 8,
    // See above.
    SOCKLESS_REQUEST_NUMBER_LOW_SPEED_TIME = 9,
    // 0 to 7, 7 before all others. Default 3.
    SOCKLESS_REQUEST_NUMBER_PRIORITY = 10,
    // Whether Note events are wanted.
    SOCKLESS_REQUEST_NUMBER_NOTES = 11,
    // Never use a kept connection.
    SOCKLESS_REQUEST_NUMBER_FRESH_CONNECTION = 12,
    // Close the connection afterwards.
    SOCKLESS_REQUEST_NUMBER_FORBID_REUSE = 13,
    // How many redirects to follow; `SOCKLESS_NEVER`: none is followed. Default that.
    SOCKLESS_REQUEST_NUMBER_REDIRECTS = 14,
    // Send credentials to other hosts, too, after a redirect.
    SOCKLESS_REQUEST_NUMBER_TRUST_ALL_HOSTS = 15,
    // Keep the method where a POST would become a GET.
    SOCKLESS_REQUEST_NUMBER_KEEP_METHOD = 16,
    // The body's length; its bytes are asked for by WantBody events.
    SOCKLESS_REQUEST_NUMBER_BODY_LENGTH = 17,
    // The body's bytes are asked for, and its end is whenever the program says so.
    SOCKLESS_REQUEST_NUMBER_BODY_CHUNKED = 18,
    // The program can give the body once more: it takes RewindBody events.
    SOCKLESS_REQUEST_NUMBER_REWINDABLE = 19,
    // How long a body waits for the server's consent (`Expect: 100-continue`).
    SOCKLESS_REQUEST_NUMBER_EXPECT_CONTINUE = 20,
    // Ask for a compressed answer, and decode it.
    SOCKLESS_REQUEST_NUMBER_COMPRESSED = 21,
    // The most bytes of body, decoded; `SOCKLESS_NEVER`: no bound. Default that. Of an `ssh://` command its
    // standard error counts as well; a directory that is got, or listed by lines, cannot have a bound: starting
    // that is `SOCKLESS_STATUS_ORDER`.
    SOCKLESS_REQUEST_NUMBER_MAX_BODY = 22,
    // The most bytes of a head. Default 256 KiB.
    SOCKLESS_REQUEST_NUMBER_MAX_HEAD = 23,
    // How user and password are proven: 0 Basic, 1 Digest, 2 the strongest that is offered, Negotiate
    // included where there are Kerberos settings; otherwise these take the place of user and password.
    SOCKLESS_REQUEST_NUMBER_AUTH_SCHEME = 24,
    // The same for the last proxy, after its user and password.
    SOCKLESS_REQUEST_NUMBER_PROXY_AUTH_SCHEME = 25,
    // Go through a tunnel of the last proxy for `http:` as well.
    SOCKLESS_REQUEST_NUMBER_PROXY_TUNNEL = 26,
    // Ask the last proxy for tunnels in HTTP/1.0.
    SOCKLESS_REQUEST_NUMBER_PROXY_HTTP10 = 27,
    // TLS on top of a tunnel, by the engine's settings. With a URL of SSH's, starting is
    // `SOCKLESS_STATUS_ORDER`.
    SOCKLESS_REQUEST_NUMBER_SECURED = 28,
    // sftp: the first byte that is got, or the place where a put begins; 0 is the first.
    SOCKLESS_REQUEST_NUMBER_OFFSET = 29,
    // sftp: the last byte that is got.
    SOCKLESS_REQUEST_NUMBER_LAST_BYTE = 30,
    // sftp: only that many bytes at a file's end are got.
    SOCKLESS_REQUEST_NUMBER_TAIL = 31,
    // sftp: where a put goes: 0 in the place of what is there, 1 behind what of it is there (a ResumeAt
    // event), 2 behind what is there.
    SOCKLESS_REQUEST_NUMBER_PLACING = 32,
    // SSH: the permissions of a file that is made. Default 0644.
    SOCKLESS_REQUEST_NUMBER_FILE_MODE = 33,
    // sftp: makes the directories that are missing on a put's way.
    SOCKLESS_REQUEST_NUMBER_MAKE_DIRECTORIES = 34,
    // sftp: a put does not end before the file is on the server's disk.
    SOCKLESS_REQUEST_NUMBER_SYNC = 35,
    // SSH: all that is in a directory. A body is made by `sockless_transfer_send_item`.
    SOCKLESS_REQUEST_NUMBER_RECURSIVE = 36,
    // sftp: how a directory is listed: 0 by Entry events, 1 by the server's lines, 2 by a line for each
    // name.
    SOCKLESS_REQUEST_NUMBER_LISTING = 37,
    // sftp: no file is transferred; an Entry event tells about it, and quoted commands are carried out.
    SOCKLESS_REQUEST_NUMBER_NO_FILE = 38,
    // Kerberos: Negotiate is sent without waiting for a challenge.
    SOCKLESS_REQUEST_NUMBER_UNASKED = 39,
    // Kerberos: answers of a server are taken that does not prove who it is.
    SOCKLESS_REQUEST_NUMBER_UNPROVEN = 40,
    // How well everything up to the last proxy is protected, a SOCKS5 one with Kerberos settings: 0 not at
    // all, 1 nobody can change it, 2 nobody can read it either.
    SOCKLESS_REQUEST_NUMBER_PROXY_PROTECTION = 41,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_request_number sockless_request_number;
#else
typedef uint32_t sockless_request_number;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an entry is.
enum sockless_entry_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The peer has not said.
    SOCKLESS_ENTRY_KIND_UNKNOWN = 0,
    // A regular file.
    SOCKLESS_ENTRY_KIND_FILE = 1,
    // A directory.
    SOCKLESS_ENTRY_KIND_DIRECTORY = 2,
    // A symbolic link.
    SOCKLESS_ENTRY_KIND_LINK = 3,
    // A device, pipe or socket.
    SOCKLESS_ENTRY_KIND_OTHER = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_entry_kind sockless_entry_kind;
#else
typedef uint32_t sockless_entry_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a command at the peer ended.
enum sockless_exit_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // With a code.
    SOCKLESS_EXIT_KIND_CODE = 1,
    // By a signal.
    SOCKLESS_EXIT_KIND_SIGNAL = 2,
    // The peer did not say.
    SOCKLESS_EXIT_KIND_UNKNOWN = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_exit_kind sockless_exit_kind;
#else
typedef uint32_t sockless_exit_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a layer wants to know.
enum sockless_question_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Whether `key` is the peer's: `sockless_question_confirm`.
    SOCKLESS_QUESTION_KIND_PEER_KEY = 1,
    // What a person would type, a line for each of `prompts`: `sockless_question_answer`. Without any
    // prompt, the texts are only to be shown, and the answer is none.
    SOCKLESS_QUESTION_KIND_PROMPTS = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sockless_question_kind sockless_question_kind;
#else
typedef uint32_t sockless_question_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// An engine. It lives in memory of the program's, which must be zeroed before it is opened
// for the first time (`sockless_engine engine = {0};`, or `static`) and must stay where it is
// until it is closed. What is in it is nobody's business.
//
// Threads: one call at a time. Two at once are no race, the second one gets
// `SOCKLESS_STATUS_BUSY`. An engine may move from thread to thread, and different engines
// have nothing to do with each other.
typedef struct sockless_engine {
    // Whether it is open; whether it is in a call; where the rest is; reserved.
    uint64_t opaque[8];
} sockless_engine;

// Where the buffers of operations come from: a region that is registered with a kernel, say.
//
// Both functions are called inside of calls of the engine's, by the thread that makes these, and
// `free` also by the thread that brings the last piece back. They must not
// call sockless with that engine (they get `SOCKLESS_STATUS_BUSY`), and no exception and no
// longjmp may leave them.
//
// All else that an engine needs comes from malloc. So do a few buffers: sealed TLS records, and
// all for which `allocate` gives NULL.
typedef struct sockless_allocator {
    // `size` bytes, which may hold anything and need no alignment; NULL: take ordinary memory.
    void *(*allocate)(void *user, size_t size);
    // Takes back what `allocate` gave for that size.
    void (*free)(void *user, void *start, size_t size);
    // Passed to both.
    void *user;
} sockless_allocator;

// An error. All texts end with a NUL; what they are valid for says where the error is from.
typedef struct sockless_error {
    // The status of the call that failed (`sockless_status`); of a transfer that failed
    // `SOCKLESS_STATUS_REFUSED`.
    int32_t status;
    // What happened (`sockless_reason`).
    uint32_t reason;
    // Who caused it (`sockless_culprit`).
    uint32_t culprit;
    // The layer (`sockless_layer`).
    uint32_t layer;
    // The layer's name.
    const char *layer_name;
    // For people: layer, peer, what happened, culprit and remedy, in one line without secrets.
    const char *text;
} sockless_error;

// A header field, as it came. No NUL follows.
typedef struct sockless_field {
    // Its name.
    const char *name;
    // Bytes of the name.
    size_t name_length;
    // Its value.
    const char *value;
    // Bytes of the value.
    size_t value_length;
} sockless_field;

// Text, or bytes, and how many; no NUL need follow, and none is sure to.
typedef struct sockless_text {
    // Where it begins; NULL only if it is empty.
    const char *data;
    // Its bytes.
    size_t length;
} sockless_text;

// A stretch of memory, laid out as a `struct iovec`.
typedef struct sockless_buffer {
    // Where it begins.
    void *data;
    // Its bytes.
    size_t length;
} sockless_buffer;

// An operation. What it points to is valid, and stays where it is, until the operation
// is completed; fields that its kind does not name mean nothing.
typedef struct sockless_operation {
    // The handle to complete it with; never 0, and fit for a kernel's `user_data`.
    uint64_t id;
    // The socket's name, from its Connect to the completion of its Close.
    uint64_t connection;
    // The same as a small number, for tables; used again after Close.
    uint32_t slot;
    // What to do (`sockless_operation_kind`).
    uint32_t kind;
    // Receive: one, or with `SOCKLESS_ENGINE_OPTION_LAZY_BUFFERS` none. Send: up to 16.
    const struct sockless_buffer *buffers;
    // How many there are.
    size_t buffer_count;
    // Receive: a hint, at least 1. Waking up before this many bytes are there is not worth it.
    size_t min;
    // Resolve: the host's name, with a NUL at its end.
    const char *host;
    // Connect: a `struct sockaddr` of `address_length` bytes.
    const void *address;
    // Connect: the local address to bind to, of `local_length` bytes, or NULL.
    const void *local;
    // Bytes of `address`.
    uint32_t address_length;
    // Bytes of `local`.
    uint32_t local_length;
    // Connect: `AF_INET`, `AF_INET6` or `AF_UNIX`.
    int family;
    // Connect: `SOCK_STREAM` or `SOCK_DGRAM`.
    int socket_type;
    // Resolve: the port that the addresses are wanted for.
    uint16_t port;
} sockless_operation;

// What a transfer took. Times in nanoseconds since it was started; `SOCKLESS_NEVER`: it did not
// get there.
typedef struct sockless_summary {
    // The name was resolved.
    uint64_t resolved;
    // The socket was connected.
    uint64_t connected;
    // All security handshakes were done.
    uint64_t secured;
    // The request began to be sent.
    uint64_t started;
    // The first byte of the answer was there.
    uint64_t first_byte;
    // The end.
    uint64_t total;
    // Bytes of request body sent.
    uint64_t body_sent;
    // Bytes of body delivered.
    uint64_t body_received;
    // New connections made.
    uint32_t connects;
    // Redirects followed.
    uint32_t redirects;
    // 1: a kept connection was used.
    uint32_t reused;
    // Nothing.
    uint32_t reserved;
} sockless_summary;

// One line that is to be typed.
typedef struct sockless_prompt {
    // The text in front.
    struct sockless_text text;
    // 1: what is typed may be seen.
    uint64_t echo;
} sockless_prompt;

// A question of a layer's. Its texts come from the peer: escape them before they are shown. What does not
// belong to `kind` is empty.
typedef struct sockless_question {
    // The handle to answer it with; void after that, and when the transfer ends.
    uint64_t id;
    // What it is about (`sockless_question_kind`).
    uint32_t kind;
    // Peer key: its port.
    uint32_t port;
    // Peer key: the host, as it was asked for.
    struct sockless_text host;
    // Peer key: the key's algorithm, e.g. `ssh-ed25519`.
    struct sockless_text algorithm;
    // Peer key: the key as the protocol has it on the wire.
    struct sockless_text key;
    // Peer key: its SHA-256 fingerprint, `SHA256:...`.
    struct sockless_text sha256;
    // Peer key: its MD5 fingerprint, in hexadecimal with colons.
    struct sockless_text md5;
    // Prompts: who is asked, the user at the peer.
    struct sockless_text user;
    // Prompts: a heading.
    struct sockless_text name;
    // Prompts: what to do.
    struct sockless_text instruction;
    // Prompts: what stands in front of each line that is to be typed.
    const struct sockless_prompt *prompts;
    // How many there are.
    size_t prompt_count;
} sockless_question;

// A file, directory or link at the peer. Numbers that the peer has not said are `SOCKLESS_NEVER`.
typedef struct sockless_entry {
    // Its name, as bytes of the peer's: escape it before it is shown.
    struct sockless_text path;
    // The peer's own line about it, as `ls -l` prints one; empty: there is none.
    struct sockless_text line;
    // What it is (`sockless_entry_kind`).
    uint32_t kind;
    // Nothing.
    uint32_t reserved;
    // Its length in bytes.
    uint64_t size;
    // The number of its user.
    uint64_t user;
    // The number of its group.
    uint64_t group;
    // Its permissions and its type, as `st_mode` has them.
    uint64_t mode;
    // When it was read last, in seconds since 1970.
    uint64_t read;
    // When it was written last, in seconds since 1970.
    uint64_t written;
} sockless_entry;

// The room on a file system of the peer's, as `statvfs` counts it.
typedef struct sockless_file_system {
    // Bytes in a block.
    uint64_t block;
    // Blocks in all.
    uint64_t blocks;
    // Free blocks.
    uint64_t free;
    // Free blocks that are there for this user.
    uint64_t available;
    // Places for files in all.
    uint64_t files;
    // Free ones.
    uint64_t files_free;
    // The longest name, in bytes.
    uint64_t name_max;
    // 1: it is mounted read-only.
    uint64_t read_only;
} sockless_file_system;

// An event. What it points to is valid until the next `sockless_engine_poll` or
// `sockless_engine_close` of the engine; fields that its kind does not name mean nothing.
typedef struct sockless_event {
    // The transfer's handle.
    uint64_t transfer;
    // What was given to `sockless_request_start`.
    void *user;
    // What happened (`sockless_event_kind`).
    uint32_t kind;
    // The status code of an answer, or a command's exit code.
    uint32_t code;
    // Bytes of the event; no NUL follows.
    const void *data;
    // How many.
    size_t length;
    // Header fields: `sockless_event_field` shows them.
    size_t field_count;
    // The length of the body that follows; `SOCKLESS_NEVER`: it is not known.
    uint64_t body_length;
    // Bytes of body that can be taken at once.
    size_t room;
    // How it failed, or NULL.
    const struct sockless_error *error;
    // What it took.
    const struct sockless_summary *summary;
    // A question.
    const struct sockless_question *asked;
    // A file or directory.
    const struct sockless_entry *entry;
    // The room on a file system.
    const struct sockless_file_system *file_system;
    // Bytes that are there.
    uint64_t offset;
    // How a command ended (`sockless_exit_kind`).
    uint32_t exit;
    // Nothing.
    uint32_t reserved;
} sockless_event;

// What the engine wants next. Only what belongs to `kind` is written.
typedef struct sockless_output {
    // What it is (`sockless_output_kind`).
    uint32_t kind;
    // Nothing.
    uint32_t reserved;
    // Wait: when to poll again at the latest, by the program's clock; `SOCKLESS_NEVER`: never.
    uint64_t deadline;
    // Submit: the operation. Cancel: its `id`, `connection` and `slot`.
    struct sockless_operation operation;
    // Event: the event.
    struct sockless_event event;
} sockless_output;

// What an engine holds and has done.
typedef struct sockless_stats {
    // Operations submitted.
    uint64_t submitted;
    // Bytes received by the program's sockets.
    uint64_t received;
    // Bytes sent by the program's sockets.
    uint64_t sent;
    // Body or record bytes that were copied because they straddled two buffers.
    uint64_t copied;
    // Operations in flight.
    size_t in_flight;
    // Transfers that have not ended.
    size_t transfers;
    // Connections, idle ones included.
    size_t connections;
    // Connections kept for reuse.
    size_t idle;
    // Sockets that are not closed yet though nobody uses them any more.
    size_t closing;
} sockless_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Opens an engine. Any thread.
//
// `now`: the program's monotonic clock, in nanoseconds; every later `now` is of the same clock.
// `wall`: seconds since 1970, for certificates. `seed`: a number that nobody outside can
// guess, from `getrandom()` for example. Nothing of these is read by the library itself.
//
// `SOCKLESS_STATUS_ORDER`: it is open already.
//
// # Safety
// `engine` is NULL or points to zeroed storage, or to storage that was opened before.
int32_t sockless_engine_open(struct sockless_engine *engine,
                             uint64_t now,
                             int64_t wall,
                             uint64_t seed);

// Closes an engine; its transfers end without further events, and all handles are void but those
// of operations in flight and of kept data. The thread that uses the engine.
//
// 0: it is closed, and everything that it had is freed. `SOCKLESS_STATUS_IN_FLIGHT`:
// the kernel or the program still has memory of it. Complete the operations and release the
// data as always (nothing else works any more); with the last of them it is closed. The
// program's sockets are the program's to close, after their operations.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_engine_close(struct sockless_engine *engine);

// Sets a number of the engine's (`sockless_engine_option`), before its first transfer and poll.
// The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_engine_set_number(struct sockless_engine *engine, uint32_t option, uint64_t value);

// Sets where the buffers of operations come from, before the engine's first transfer and poll.
// The functions must work until the engine is closed. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `allocator` is NULL or can be read.
// Its functions do what [`Allocator`] says.
int32_t sockless_engine_set_allocator(struct sockless_engine *engine,
                                      const struct sockless_allocator *allocator);

// Gives an address for host and port, instead of a Resolve operation; several are several. Before
// the engine's first transfer and poll. The thread that uses the engine.
//
// `address`: a `struct sockaddr_in` or `sockaddr_in6`, of which only the address counts.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others can be read.
int32_t sockless_engine_add_address(struct sockless_engine *engine,
                                    const void *host,
                                    size_t host_length,
                                    uint16_t port,
                                    const void *address,
                                    uint32_t address_length);

// Adds a proxy on the way to Kerberos' KDCs, as `sockless_request_add_proxy` has them; the first one is
// connected to. Before the engine's first transfer and poll. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `proxy` is NULL or can be read.
int32_t sockless_engine_add_kdc_proxy(struct sockless_engine *engine,
                                      const void *proxy,
                                      size_t length);

// Why the last call that failed did so. Its texts are valid until the next call that fails.
// The thread that uses the engine.
//
// Calls that fail because there is no open engine leave nothing to ask for: then the
// status says it all. `SOCKLESS_STATUS_ORDER`: nothing has failed.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `error` is NULL or can be written.
int32_t sockless_engine_error(struct sockless_engine *engine, struct sockless_error *error);

// Shows the header field of that index in the event of the last poll; valid as long as the
// event is. The thread that uses the engine.
//
// `SOCKLESS_STATUS_INDEX`: the event has fewer fields, or none.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `field` is NULL or can be written.
int32_t sockless_event_field(struct sockless_engine *engine,
                             size_t index,
                             struct sockless_field *field);

// Keeps the data of the Data event of the last poll beyond its time, without a copy: what it
// points to stays valid until `sockless_data_release`. The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: the last poll gave no data, or they are kept already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `kept` is NULL or can be written.
int32_t sockless_event_keep(struct sockless_engine *engine, uint64_t *kept);

// Gives kept data back. Works with poisoned and with closed engines. The thread that uses the
// engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_data_release(struct sockless_engine *engine, uint64_t kept);

// Says whether a key is the peer's (`yes` 1), or that nobody believes so (0). The thread that uses the
// engine.
//
// `SOCKLESS_STATUS_ORDER`: the question wants lines. `SOCKLESS_STATUS_REFUSED`: nobody waits for
// the answer any more.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_question_confirm(struct sockless_engine *engine,
                                  uint64_t question,
                                  uint32_t yes);

// Gives a line for each prompt; they are copied, and wiped after use. The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: the question wants a yes or no. `SOCKLESS_STATUS_RANGE`: the number of lines is not
// that of the prompts. `SOCKLESS_STATUS_REFUSED`: nobody waits for the answer any more.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `lines` is NULL, or `count` texts can be read there
// and what each of them points to.
int32_t sockless_question_answer(struct sockless_engine *engine,
                                 uint64_t question,
                                 const struct sockless_text *lines,
                                 size_t count);

// Says that there is no answer, and why; the layer tries something else, or fails. The thread that uses the
// engine.
//
// `SOCKLESS_STATUS_REFUSED`: nobody waits for the answer any more.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `why` is NULL or can be read.
int32_t sockless_question_decline(struct sockless_engine *engine,
                                  uint64_t question,
                                  const char *why,
                                  size_t length);

// Makes Kerberos settings: one user's credentials, and the tickets that come of them. The thread that
// uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `kerberos` is NULL or can be written.
int32_t sockless_kerberos_new(struct sockless_engine *engine,
                              uint64_t *kerberos);

// Frees Kerberos settings; what uses them keeps them, and their tickets. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_kerberos_free(struct sockless_engine *engine,
                               uint64_t kerberos);

// Sets a text of Kerberos settings (`sockless_kerberos_text`). What is wrong with it shows when the settings
// are first used. The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
int32_t sockless_kerberos_set_text(struct sockless_engine *engine,
                                   uint64_t kerberos,
                                   uint32_t option,
                                   const void *text,
                                   size_t length);

// Sets bytes of Kerberos settings (`sockless_kerberos_data`), which are copied, and wiped when the settings
// are first used. A keytab counts before a cache, a cache before a password. The thread that uses the
// engine.
//
// `SOCKLESS_STATUS_RANGE`: not 32 random bytes.
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
int32_t sockless_kerberos_set_data(struct sockless_engine *engine,
                                   uint64_t kerberos,
                                   uint32_t option,
                                   const void *data,
                                   size_t length);

// Sets a number of Kerberos settings (`sockless_kerberos_number`). The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_kerberos_set_number(struct sockless_engine *engine,
                                     uint64_t kerberos,
                                     uint32_t option,
                                     uint64_t value);

// Adds a KDC of a realm: `host`, `host:port`, `[address]:port`, `tcp/` in front for streams only, or the URL
// of a KDC proxy. The first one of a realm takes the place of the configuration's. The thread that
// uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_kerberos_add_kdc(struct sockless_engine *engine,
                                  uint64_t kerberos,
                                  const void *realm,
                                  size_t realm_length,
                                  const void *place,
                                  size_t place_length);

// Puts a host, or with a dot in front all hosts below a domain, into a realm. The thread that uses the
// engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_kerberos_add_domain(struct sockless_engine *engine,
                                     uint64_t kerberos,
                                     const void *host,
                                     size_t host_length,
                                     const void *realm,
                                     size_t realm_length);

// Gives a receive that came without a buffer one of `size` bytes or more (1 to 64 MiB), so that
// the bytes that are there can be received. It belongs to the operation. The thread that
// uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: it has a buffer, or is no receive.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `buffer` is NULL or can be written.
int32_t sockless_operation_take_buffer(struct sockless_engine *engine,
                                       uint64_t operation,
                                       size_t size,
                                       struct sockless_buffer *buffer);

// Adds an address to a Resolve, in the resolver's order; at most 256. The thread that uses the
// engine.
//
// `address`: a `struct sockaddr_in` or `sockaddr_in6`, of which only the address counts.
// `SOCKLESS_STATUS_ORDER`: it is no Resolve.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `address` is NULL or can be read.
int32_t sockless_operation_add_address(struct sockless_engine *engine,
                                       uint64_t operation,
                                       const void *address,
                                       uint32_t address_length);

// Brings an operation back, exactly once, also one that was to be cancelled; its memory is not
// the program's any more. It only queues: all work happens in `sockless_engine_poll`. The
// thread that uses the engine.
//
// `result`: bytes of a Receive or Send, 0 of the others; a negative error number of the
// system's, `-ECANCELED` where a cancel ended it. `SOCKLESS_STATUS_RESULT`: it cannot be
// that operation's; the operation is still in flight.
//
// Works with poisoned and with closed engines: then it only frees.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_engine_complete(struct sockless_engine *engine,
                                 uint64_t operation,
                                 int64_t result);

// The next thing to do; call it until it says Wait, then wait for whatever comes first:
// a completion, or the deadline. The thread that uses the engine.
//
// `now`: the program's monotonic clock, in nanoseconds. A clock that goes back stands still.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `output` is NULL or can be written.
int32_t sockless_engine_poll(struct sockless_engine *engine,
                             uint64_t now,
                             struct sockless_output *output);

// Makes a request, which needs a URL or a tunnel's destination. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `request` is NULL or can be written.
int32_t sockless_request_new(struct sockless_engine *engine, uint64_t *request);

// Frees a request; the transfers that were started with it go on. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_free(struct sockless_engine *engine, uint64_t request);

// Sets a text of a request (`sockless_request_text`). The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
int32_t sockless_request_set_text(struct sockless_engine *engine,
                                  uint64_t request,
                                  uint32_t option,
                                  const void *text,
                                  size_t length);

// Sets a number of a request (`sockless_request_number`). The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_number(struct sockless_engine *engine,
                                    uint64_t request,
                                    uint32_t option,
                                    uint64_t value);

// Sets the body from memory, which is copied. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
int32_t sockless_request_set_body(struct sockless_engine *engine,
                                  uint64_t request,
                                  const void *data,
                                  size_t length);

// Adds a header field. `Host` replaces the URL's; `User-Agent` and `Accept` replace the defaults,
// and with an empty value remove them. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_request_add_field(struct sockless_engine *engine,
                                   uint64_t request,
                                   const void *name,
                                   size_t name_length,
                                   const void *value,
                                   size_t value_length);

// Adds a proxy at the far end of the chain, as curl writes it:
// `[scheme://][user[:password]@]host[:port]`, with the schemes http, https, socks4, socks4a, socks5
// and socks5h. Options of proxies are the last one's that was added. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `proxy` is NULL or can be read.
int32_t sockless_request_add_proxy(struct sockless_engine *engine,
                                   uint64_t request,
                                   const void *proxy,
                                   size_t length);

// Adds a header field for the last proxy alone. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_request_add_proxy_field(struct sockless_engine *engine,
                                         uint64_t request,
                                         const void *name,
                                         size_t name_length,
                                         const void *value,
                                         size_t value_length);

// Sets TLS settings instead of the engine's; a tunnel gets TLS on top by them. The thread that uses
// the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_tls(struct sockless_engine *engine, uint64_t request, uint64_t tls);

// Sets TLS settings for the connection to the last proxy, an https one, instead of the engine's. The
// thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_proxy_tls(struct sockless_engine *engine,
                                       uint64_t request,
                                       uint64_t tls);

// Starts a transfer, or opens a tunnel. The request can be started again, changed or freed. The thread
// that uses the engine.
//
// `user` comes with each event. `now` as in `sockless_engine_poll`, which has to be called next.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `transfer` is NULL or can be written.
int32_t sockless_request_start(struct sockless_engine *engine,
                               uint64_t now,
                               uint64_t request,
                               void *user,
                               uint64_t *transfer);

// Sets the SSH settings of a request with an `sftp://`, `scp://` or `ssh://` URL. Requests with the same
// settings share connections. The thread that uses the engine.
//
// `SOCKLESS_STATUS_REFUSED`: the settings cannot be used. With an encrypted key this takes as long as
// its encryption is meant to.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_ssh(struct sockless_engine *engine,
                                 uint64_t request,
                                 uint64_t ssh);

// Adds SSH servers that connect on for us at the far end of the chain of proxies, as OpenSSH's `-J` has them:
// `[user@]host[:port]`, several with commas between them, an IPv6 address in brackets. The thread that
// uses the engine.
//
// The settings' password is not used there: it is the server's. Keys, the agent, tickets and
// questions are.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `jumps` is NULL or can be read.
int32_t sockless_request_add_ssh_proxy(struct sockless_engine *engine,
                                       uint64_t request,
                                       const void *jumps,
                                       size_t length,
                                       uint64_t ssh);

// Proves to the server who we are by Kerberos, after its challenge (Negotiate, RFC 4559). Tickets are fetched
// by transfers of the engine's own. It is for HTTP: with a URL of SSH's, starting is `SOCKLESS_STATUS_ORDER`, and
// `sockless_ssh_set_kerberos` is for that. The thread that uses the engine.
//
// `SOCKLESS_STATUS_REFUSED`: the settings cannot be used, or Kerberos is not built in.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_kerberos(struct sockless_engine *engine,
                                      uint64_t request,
                                      uint64_t kerberos);

// Proves to the last proxy who we are by Kerberos: Negotiate to an HTTP proxy, GSS-API (RFC 1961) to a SOCKS5
// one. The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: there is no proxy yet. `SOCKLESS_STATUS_REFUSED`: it is of another kind, or
// as above.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_request_set_proxy_kerberos(struct sockless_engine *engine,
                                            uint64_t request,
                                            uint64_t kerberos);

// Begins the connection with the PROXY protocol's header, of `version` 1 (text) or 2 (binary), behind all
// proxies. The thread that uses the engine.
//
// `source` and `destination`: whose connection it is, a `struct sockaddr_in` or `sockaddr_in6` each; both
// NULL: our own. `SOCKLESS_STATUS_RANGE`: another version, or addresses of two families.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_request_set_proxy_header(struct sockless_engine *engine,
                                          uint64_t request,
                                          uint32_t version,
                                          const void *source,
                                          uint32_t source_length,
                                          const void *destination,
                                          uint32_t destination_length);

// Makes SSH settings, which trust no host and have no key. The thread that uses the engine.
//
// `SOCKLESS_STATUS_REFUSED`: SSH is not built in.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `ssh` is NULL or can be written.
int32_t sockless_ssh_new(struct sockless_engine *engine, uint64_t *ssh);

// Frees SSH settings; what uses them keeps them. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_ssh_free(struct sockless_engine *engine, uint64_t ssh);

// Sets, or adds, a text of SSH settings (`sockless_ssh_text`), which is copied, and wiped when the settings
// are gone. What is wrong with it shows when the settings are first used. The thread that uses
// the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already, or there is no key that it could be about.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
int32_t sockless_ssh_set_text(struct sockless_engine *engine,
                              uint64_t ssh,
                              uint32_t option,
                              const void *text,
                              size_t length);

// Sets a number of SSH settings (`sockless_ssh_number`). The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_ssh_set_number(struct sockless_engine *engine,
                                uint64_t ssh,
                                uint32_t option,
                                uint64_t value);

// Logs in with the tickets of Kerberos settings as well, before anything else (`gssapi-with-mic`, RFC 4462; by
// russh). The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: the SSH settings are in use already, or the others have no credentials.
// `SOCKLESS_STATUS_REFUSED`: what the Kerberos settings are made of will not do.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_ssh_set_kerberos(struct sockless_engine *engine,
                                  uint64_t ssh,
                                  uint64_t kerberos);

// Takes the hosts whose keys were accepted and that were not known, as lines for a `known_hosts` file:
// each ends with a line end, and there may be none. What `lines` points to is valid until the next call of
// this function with these settings, until they are freed, or the engine is closed. The
// thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `lines` is NULL or can be written.
int32_t sockless_ssh_take_hosts(struct sockless_engine *engine,
                                uint64_t ssh,
                                struct sockless_text *lines);

// What a status says, as a text with a NUL at its end that is valid for ever. Any thread.
const char *sockless_status_text(int32_t status);

// The version of the library, e.g. `0.1.0`, valid for ever. Any thread.
const char *sockless_version(void);

// Makes TLS settings, which trust Mozilla's authorities unless others are given. The thread that
// uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `tls` is NULL or can be written.
int32_t sockless_tls_new(struct sockless_engine *engine, uint64_t *tls);

// Frees TLS settings; what uses them keeps them. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_tls_free(struct sockless_engine *engine, uint64_t tls);

// Sets, or adds, a text of TLS settings (`sockless_tls_text`). What is wrong with it shows when the
// settings are first used. The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
int32_t sockless_tls_set_text(struct sockless_engine *engine,
                              uint64_t tls,
                              uint32_t option,
                              const void *text,
                              size_t length);

// Sets a number of TLS settings (`sockless_tls_number`). The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: they are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_tls_set_number(struct sockless_engine *engine,
                                uint64_t tls,
                                uint32_t option,
                                uint64_t value);

// Sets a certificate chain of our own and its key from one PKCS#12 file, and what opens it; instead of
// `SOCKLESS_TLS_TEXT_CERTIFICATE_PEM` (backend openssl only). The thread that uses the engine.
//
// `SOCKLESS_STATUS_ORDER`: the settings are in use already.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
int32_t sockless_tls_set_pkcs12(struct sockless_engine *engine,
                                uint64_t tls,
                                const void *file,
                                size_t length,
                                const void *password,
                                size_t password_length);

// Exports the sessions that connections of later, equal settings may resume, e.g. in the next run of a
// program (backend openssl only). They are secret, and each is for one connection: import an export
// once. `data` is valid until `sockless_data_release(kept)`, which wipes it. The thread that uses the
// engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be written.
int32_t sockless_tls_export_sessions(struct sockless_engine *engine,
                                     uint64_t tls,
                                     struct sockless_text *data,
                                     uint64_t *kept);

// Takes what `sockless_tls_export_sessions` gave for equal settings, and says how many sessions there
// were. The settings are in use from now on. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read, `count` is NULL or can
// be written.
int32_t sockless_tls_import_sessions(struct sockless_engine *engine,
                                     uint64_t tls,
                                     const void *data,
                                     size_t length,
                                     size_t *count);

// Makes TLS settings the engine's, for requests and proxies without their own; before the engine's
// first transfer and poll. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_engine_set_tls(struct sockless_engine *engine, uint64_t tls);

// Gives body to a transfer that asked for it (`SOCKLESS_EVENT_KIND_WANT_BODY`), or bytes to a
// tunnel. They are copied; more than the room stated is taken as a whole. The thread that uses the engine.
//
// `SOCKLESS_STATUS_REFUSED`: nothing was asked for and no room is left, or it is finished.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
int32_t sockless_transfer_send(struct sockless_engine *engine,
                               uint64_t transfer,
                               const void *data,
                               size_t length);

// Gives the head of a file or directory to a transfer that puts many (`SOCKLESS_REQUEST_NUMBER_RECURSIVE`): behind
// a file's, exactly `size` bytes are to be given; a directory comes before what is in it. The thread that uses
// the engine.
//
// `path`: below the target, with `/` between names. `size`: `SOCKLESS_NEVER` for a directory. `mode`: its
// permissions, or `SOCKLESS_NEVER`. `SOCKLESS_STATUS_REFUSED`: as of `sockless_transfer_send`.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `path` is NULL or can be read.
int32_t sockless_transfer_send_item(struct sockless_engine *engine,
                                    uint64_t transfer,
                                    const void *path,
                                    size_t length,
                                    uint64_t size,
                                    uint64_t mode);

// Says that the body is complete, or ends a tunnel's own direction. The thread that uses the
// engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_transfer_finish(struct sockless_engine *engine, uint64_t transfer);

// Holds a transfer's answer back (`paused` 1): no head, data or end comes, and soon nothing more
// is received for it. 0 lets it go on. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_transfer_pause(struct sockless_engine *engine, uint64_t transfer, uint32_t paused);

// Ends a transfer; its Done event follows, and its operations in flight still have to be
// completed. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_transfer_cancel(struct sockless_engine *engine, uint64_t transfer);

// Closes all connections that are kept for reuse. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage.
int32_t sockless_engine_close_idle(struct sockless_engine *engine);

// What an engine holds and has done. The thread that uses the engine.
//
// # Safety
// `engine` is NULL or points to zeroed or opened storage, `stats` is NULL or can be written.
int32_t sockless_engine_stats(struct sockless_engine *engine, struct sockless_stats *stats);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SOCKLESS_H */
