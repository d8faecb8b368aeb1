//! The rows of the matrix. To add one is to add a line here.
//!
//! `{url}` is where the case runs, `{upload}` a path that no other cell uploads to.

use super::cell::Before::{Begun, Config, Source};
use super::cell::Check::{
    Connections, File, FileHas, Kept, Missing, Printed, PrintedHas, PrintedPattern, PrintedText,
    SaidHas, Uploaded,
};
use super::cell::On::{Apache, CutTls, Fault, Http, Https, Refused};
use super::cell::{Case, case};

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

/// What a user asks of servers that do their job.
pub(super) const ACTIONS: &[Case] = &[
    // Downloads, by size, by framing and by server.
    case("download 1k", &["-o", "out", "{url}/1k"]).after(&[File("out", K)]),
    case("download 1m to stdout", &["{url}/1m"]).after(&[PrintedPattern(0, M)]),
    case("download 64m", &["-o", "out", "{url}/64m"]).after(&[File("out", 64 * M)]),
    case(
        "download empty",
        &["-o", "out", "-w", "%{http_code}", "{url}/empty"],
    )
    .after(&[Printed("200")]),
    case("remote name", &["-O", "{url}/small/7"]).after(&[File("7", 170)]),
    case("chunked", &["-o", "out", "{url}/chunked/1m"]).after(&[File("out", M)]),
    case("until close", &["-o", "out", "{url}/until-close/1m"]).after(&[File("out", M)]),
    case("no keep-alive", &["-o", "out", "{url}/close/1m"]).after(&[File("out", M)]),
    case("gzip", &["--compressed", "{url}/gzip/text"]).after(&[PrintedText]),
    case("gzip not asked for", &["{url}/gzip/text"]).after(&[PrintedText]),
    case("apache", &["-o", "out", "{url}/64m"])
        .on(Apache)
        .after(&[File("out", 64 * M)]),
    case("apache gzip", &["--compressed", "{url}/gzip/text"])
        .on(Apache)
        .after(&[PrintedText]),
    case("brotli", &["--compressed", "{url}/brotli/text"])
        .on(Apache)
        .after(&[PrintedText]),
    // Parts of a file.
    case("range", &["-r", "1000-1999", "{url}/1m"]).after(&[PrintedPattern(1000, 1000)]),
    case("range from the end", &["-r", "-24", "{url}/1k"]).after(&[PrintedPattern(1000, 24)]),
    case("resume", &["-C", "-", "-o", "out", "{url}/1m"])
        .before(Begun(300_000))
        .after(&[File("out", M)]),
    case(
        "resume what is complete",
        &["-C", "-", "-o", "out", "{url}/1m"],
    )
    .before(Begun(M))
    .after(&[File("out", M)]),
    case("resume at an offset", &["-C", "1000", "{url}/1k"]).after(&[PrintedPattern(1000, 24)]),
    // Uploads.
    case("upload 1m", &["-T", "source", "{url}{upload}"])
        .before(Source(M))
        .after(&[Uploaded(M)]),
    case("upload 64m", &["-T", "source", "{url}{upload}"])
        .before(Source(64 * M))
        .after(&[Uploaded(64 * M)]),
    case("upload nothing", &["-T", "source", "{url}{upload}"])
        .before(Source(0))
        .after(&[Uploaded(0)]),
    case(
        "put data",
        &["-X", "PUT", "--data-binary", "@source", "{url}{upload}"],
    )
    .before(Source(100 * K))
    .after(&[Uploaded(100 * K)]),
    case("post", &["-d", "a=b", "-d", "c=d", "{url}/echo-body"]).after(&[Printed("a=b&c=d")]),
    case("post a file", &["--data-binary", "@source", "{url}/echo"])
        .before(Source(M))
        .after(&[Printed("POST 1048576 \n")]),
    case(
        "answer before the body",
        &[
            "-T",
            "source",
            "-o",
            "out",
            "-w",
            "%{http_code}",
            "{url}/limited",
        ],
    )
    .before(Source(64 * M))
    .after(&[Printed("413")]),
    // Methods, header fields, and what is shown of the answer.
    case("head", &["-I", "{url}/1k"]).after(&[PrintedHas("Content-Length: 1024")]),
    case("include", &["-i", "{url}/echo"])
        .after(&[PrintedHas("HTTP/1.1 200"), PrintedHas("\r\n\r\nGET  \n")]),
    case("custom method", &["-X", "DELETE", "{url}/echo"]).after(&[Printed("DELETE  \n")]),
    case("custom field", &["-H", "X: y z", "{url}/echo"]).after(&[Printed("GET  y z\n")]),
    case("user agent", &["-A", "tester/1", "{url}/request?q=1"])
        .after(&[Printed("GET /request?q=1 HTTP/1.1|tester/1||||\n")]),
    case(
        "basic auth",
        &["-u", "alice:secret", "-o", "out", "{url}/auth/1k"],
    )
    .after(&[File("out", K)]),
    case(
        "basic auth refused",
        &["-u", "alice:wrong", "-f", "{url}/auth/1k"],
    )
    .exits(&[22]),
    case("verbose", &["-v", "-o", "out", "{url}/1k"]).after(&[SaidHas("200"), File("out", K)]),
    case(
        "write-out",
        &[
            "-o",
            "out",
            "-w",
            "%{http_code} %{size_download}\\n",
            "{url}/1k",
        ],
    )
    .after(&[Printed("200 1024\n")]),
    case("dump header", &["-D", "head", "-o", "out", "{url}/1k"])
        .needs("--dump-header")
        .after(&[FileHas("head", "HTTP/1.1 200"), File("out", K)]),
    case("config file", &["-K", "config"])
        .before(Config("output = \"out\"\nurl = \"{url}/1k\"\n"))
        .after(&[File("out", K)]),
    case(
        "error status without -f",
        &["-w", "%{http_code}", "{url}/status/404"],
    )
    .after(&[Printed("status 404\n404")]),
    case("error status with -f", &["-f", "{url}/status/404"]).exits(&[22]),
    case("no content", &["-w", "%{http_code}", "{url}/status/204"]).after(&[Printed("204")]),
    // Redirects.
    case(
        "redirect not followed",
        &["-o", "out", "-w", "%{http_code}", "{url}/redirect/2"],
    )
    .after(&[Printed("302")]),
    case("redirect chain", &["-L", "{url}/redirect/10"]).after(&[Printed("arrived by GET\n")]),
    case("relative redirect", &["-L", "{url}/redirect/relative"])
        .after(&[Printed("arrived by GET\n")]),
    case("post, 302", &["-L", "-d", "x", "{url}/redirect/2"]).after(&[Printed("arrived by GET\n")]),
    case("post, 307", &["-L", "-d", "x", "{url}/redirect/1"])
        .after(&[Printed("arrived by POST\n")]),
    case("upload, 307", &["-L", "-T", "source", "{url}/redirect/1"])
        .before(Source(M))
        .after(&[Printed("arrived by PUT\n")]),
    case(
        "redirect to https",
        &["-L", "--cacert", "{ca}", "{url}/redirect/to-https"],
    )
    .on(Http)
    .after(&[PrintedHas("GET /request ")]),
    case("redirect to http", &["-L", "{url}/redirect/to-http"])
        .on(Https)
        .after(&[PrintedHas("GET /request ")]),
    case("redirect to a file", &["-L", "{url}/redirect/to-file"]).exits(&[1]),
    case("redirect loop", &["-L", "--max-redirs", "5", "{url}/loop"]).exits(&[47]),
    // Connections.
    case(
        "keep-alive",
        &["{url}/requests-so-far", "{url}/requests-so-far"],
    )
    .after(&[Printed("1\n2\n")]),
    case(
        "several files",
        &[
            "-o",
            "a",
            "{url}/1k",
            "-o",
            "b",
            "{url}/1m",
            "-o",
            "c",
            "{url}/small/1",
        ],
    )
    .after(&[File("a", K), File("b", M), File("c", 110)]),
    case(
        "parallel",
        &[
            "-Z",
            "--parallel-max",
            "3",
            "-o",
            "a",
            "{url}/1m",
            "-o",
            "b",
            "{url}/1k",
            "-o",
            "c",
            "{url}/chunked/1m",
            "-o",
            "d",
            "{url}/small/1",
            "-o",
            "e",
            "{url}/1m",
        ],
    )
    .after(&[
        File("a", M),
        File("b", K),
        File("c", M),
        File("d", 110),
        File("e", M),
    ]),
    case("literal address", &["-o", "out", "{url-v4}/1k"]).after(&[File("out", K)]),
    case(
        "resolve",
        &[
            "--resolve",
            "localhost:{port}:127.0.0.1",
            "-o",
            "out",
            "{url}/1k",
        ],
    )
    .after(&[File("out", K)]),
    case(
        "unix socket",
        &[
            "--unix-socket",
            "{socket}",
            "-o",
            "out",
            "http://localhost/1k",
        ],
    )
    .on(Http)
    .needs("--unix-socket")
    .after(&[File("out", K)]),
    case(
        "client certificate",
        &[
            "--cert",
            "{client}",
            "--key",
            "{client-key}",
            "{client-url}/tls",
        ],
    )
    .on(Https)
    .needs("--cert")
    .after(&[PrintedHas("CN=client")]),
    case(
        "unchecked certificate",
        &["-k", "-o", "out", "{self-signed}/1k"],
    )
    .on(Https)
    .after(&[File("out", K)]),
];

/// What must fail, and how.
pub(super) const FAULTS: &[Case] = &[
    // Certificates.
    case("expired certificate", &["{expired}/1k"])
        .on(Https)
        .exits(&[60])
        .says(&["tls (", "[refused by policy]; "]),
    case("self-signed certificate", &["{self-signed}/1k"])
        .on(Https)
        .exits(&[60])
        .says(&["tls (", "[refused by policy]; "]),
    case("certificate for another name", &["{wrong-name}/1k"])
        .on(Https)
        .exits(&[60])
        .says(&["tls (", "[refused by policy]; "]),
    case(
        "untrusted authority",
        &["--cacert", "{other-ca}", "{url}/1k"],
    )
    .on(Https)
    .exits(&[60]),
    // Something that is no HTTP, no TLS, or not there.
    case("garbage", &["-o", "out", "{url}/"])
        .on(Fault("garbage"))
        .exits(&[1])
        .says(&["http (", "[peer misbehaved]"])
        .after(&[Missing("out")]),
    case("garbage instead of TLS", &["{url-tls}/"])
        .on(Fault("garbage"))
        .exits(&[35])
        .says(&["tls (", "[peer misbehaved]"]),
    case("plain HTTP on a TLS port", &["{https-as-http}/1k", "-f"])
        .on(Https)
        .exits(&[22]),
    case("TLS on a plain port", &["{http-as-https}/1k"])
        .on(Http)
        .exits(&[35])
        .says(&["tls (", "check that scheme and port"]),
    case("closed during the handshake", &["{url-tls}/"])
        .on(Fault("resets-at-once"))
        .exits(&[35])
        .says(&["[transport]"]),
    case("refused", &["{url}/"])
        .on(Refused)
        .exits(&[7])
        .says(&["connect (", "[transport]"]),
    case("unknown name", &["http://nonesuch.invalid/"])
        .on(Http)
        .exits(&[6])
        .says(&["nonesuch.invalid", "[transport]"]),
    case("unknown scheme", &["nonesuch://localhost/"])
        .on(Http)
        .exits(&[1])
        .says(&["url: ", "[misuse]"]),
    case("malformed URL", &["http://localhost:port/"])
        .on(Http)
        .exits(&[3])
        .says(&["url: ", "[misuse]"]),
    // Connections that end too early.
    case("empty reply", &["-o", "out", "{url}/"])
        .on(Fault("closes-at-once"))
        .exits(&[52])
        .says(&["http (", "without an answer", "[peer misbehaved]; "])
        .after(&[Connections(1), Missing("out")]),
    case("reset", &["{url}/"])
        .on(Fault("resets-at-once"))
        .exits(&[56])
        .says(&["socket (", "receiving failed", "[transport]; "]),
    case("reset in the body", &["-o", "out", "{url}/"])
        .on(Fault("resets-mid-body"))
        .exits(&[56])
        .says(&["socket (", "receiving failed", "[transport]; "])
        .after(&[Kept("out")]),
    case("truncated body", &["-o", "out", "{url}/"])
        .on(Fault("truncated-body"))
        .exits(&[18])
        .says(&["http (", "9 of 1000 bytes", "[peer misbehaved]; "])
        .after(&[Kept("out")]),
    case("truncated chunk", &["-o", "out", "{url}/"])
        .on(Fault("truncated-chunk"))
        .exits(&[18])
        .says(&["http (", "chunk", "[peer misbehaved]; "])
        .after(&[Kept("out")]),
    case("truncated head", &["-o", "out", "{url}/"])
        .on(Fault("truncated-head"))
        .exits(&[56, 0])
        .says(&[
            "http (",
            "middle of the answer's head",
            "[peer misbehaved]; ",
        ])
        .after(&[Missing("out")]),
    case("TLS cut in the body", &["-o", "out", "{url}/1m"])
        .on(CutTls)
        .exits(&[18])
        .says(&["http (", " of 1048576 bytes", "tls: ", "close_notify"])
        .after(&[Kept("out")]),
    case("TLS cut in a chunk", &["-o", "out", "{url}/chunked/1m"])
        .on(CutTls)
        .exits(&[18])
        .says(&["http (", "chunk", "close_notify"])
        .after(&[Kept("out")]),
    case(
        "TLS cut before a close",
        &["-o", "out", "{url}/until-close/1m"],
    )
    .on(CutTls)
    .exits(&[56, 0])
    .says(&["tls (", "close_notify", "[peer misbehaved]; "])
    .after(&[Kept("out")]),
    // Answers against the rules.
    case("oversized chunk", &["-o", "out", "{url}/"])
        .on(Fault("oversized-chunk"))
        .exits(&[56])
        .says(&["http (", "chunk size", "[peer misbehaved]; "]),
    case("chunk without a size", &["-o", "out", "{url}/"])
        .on(Fault("bad-chunk"))
        .exits(&[56])
        .says(&["http (", "chunk size", "[peer misbehaved]; "]),
    case("contradicting lengths", &["-o", "out", "{url}/"])
        .on(Fault("conflicting-length"))
        .exits(&[8, 0])
        .says(&["http (", "Content-Length", "[peer misbehaved]; "])
        .after(&[Missing("out")]),
    case(
        "broken gzip",
        &["--compressed", "-o", "out", "{url}/broken-gzip"],
    )
    .exits(&[61])
    .says(&["http (", "gzip", "[peer misbehaved]"]),
    // Answers without end.
    case("endless header fields", &["-m", "20", "{url}/"])
        .on(Fault("endless-headers"))
        .exits(&[56, 27, 100])
        .says(&["http (", "[limit]; "]),
    case("endless header field", &["-m", "20", "{url}/"])
        .on(Fault("endless-header"))
        .exits(&[56, 27, 100])
        .says(&["http (", "[limit]; "]),
    case("endless interim answers", &["-m", "20", "{url}/"])
        .on(Fault("endless-interim"))
        .exits(&[56, 27, 28])
        .says(&["http (", "interim", "[limit]; "]),
    // Time.
    case("no answer", &["-m", "1", "{url}/"])
        .on(Fault("silent"))
        .exits(&[28])
        .says(&["engine (", "within 1s", "[limit]; raise -m"]),
    case("no handshake", &["-m", "1", "{url-tls}/"])
        .on(Fault("silent"))
        .exits(&[28])
        .says(&["within 1s", "[limit]; "]),
    case(
        "no handshake, connect timeout",
        &["--connect-timeout", "1", "{url-tls}/"],
    )
    .on(Fault("silent"))
    .exits(&[28])
    .says(&["tls (", "within 1s", "[limit]; raise --connect-timeout"]),
    case("no reader", &["-m", "1", "-T", "source", "{url}/"])
        .on(Fault("deaf"))
        .before(Source(64 * M))
        .exits(&[28])
        .says(&["engine (", "within 1s", "[limit]; "]),
    case("too slow", &["-m", "2", "-o", "out", "{url}/"])
        .on(Fault("trickle"))
        .exits(&[28])
        .says(&["engine (", "within 2s", "[limit]; "])
        .after(&[Kept("out")]),
    case(
        "slower than allowed",
        &["-y", "2", "-Y", "100", "-o", "out", "{url}/"],
    )
    .on(Fault("trickle"))
    .exits(&[28])
    .says(&["engine (", "slower than 100 bytes/s", "[limit]; lower -Y"])
    .after(&[Kept("out")]),
    // Our own side.
    case("full disk", &["-o", "/dev/full", "{url}/1m"])
        .exits(&[23])
        .says(&["output: cannot write /dev/full", "[transport]; make room"]),
    case(
        "folder that is not there",
        &["-o", "missing/out", "{url}/1k"],
    )
    .exits(&[23])
    .says(&["output: cannot write missing/out", "--create-dirs"]),
    case(
        "file to upload that is not there",
        &["-T", "missing", "{url}{upload}"],
    )
    .exits(&[26])
    .says(&["input: cannot read missing", "[misuse]; "]),
    case(
        "authority that is not there",
        &["--cacert", "missing", "{url}/1k"],
    )
    .on(Https)
    .exits(&[77]),
];
