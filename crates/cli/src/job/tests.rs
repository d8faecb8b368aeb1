//! What options come to.

use super::*;

fn job(line: &str) -> Result<Vec<Job>, Failure> {
    let words = std::iter::once("sockless")
        .chain(line.split(' '))
        .map(Into::into);
    jobs(Args::parse_group(words.collect()).expect("good options"))
}

fn first(line: &str) -> Job {
    job(line).expect("good jobs").remove(0)
}

#[test]
fn methods_follow_from_options() {
    for (line, method) in [
        ("h", "GET"),
        ("-I h", "HEAD"),
        ("-d x h", "POST"),
        ("-T f h", "PUT"),
        ("-G -d x h", "GET"),
        ("-X DELETE -d x h", "DELETE"),
    ] {
        assert_eq!(first(line).method, method, "{line}");
    }
    assert_eq!(job("-I -d x h").expect_err("contradiction").code, 2);
}

#[test]
fn urls_are_completed() {
    assert_eq!(first("localhost:80/a").url, "http://localhost:80/a");
    assert_eq!(first("-G -d a=1 -d b=2 h/?c#f").url, "http://h/?c&a=1&b=2");
    assert_eq!(first("-T dir/a?b h").url, "http://h/a%3Fb");
    assert_eq!(first("-T dir/a h/x").url, "http://h/x");
    assert_eq!(first("-T - h/x/").url, "http://h/x/");
}

#[test]
fn outputs_meet_their_urls_in_order() {
    let all = job("-o a http://h/x -O http://h/dir/y?q http://h/z --output-dir d").expect("jobs");
    let places: Vec<_> = all.into_iter().map(|job| job.place).collect();
    let file = |name: &str| Place::File(PathBuf::from(name));
    assert_eq!(places, [file("d/a"), file("d/y"), Place::Unsaid]);
    assert_eq!(job("-O http://h/").expect_err("no name").code, 23);
    let globbed = job("-o f_#1 http://h/[1-2]").expect("jobs");
    assert_eq!(globbed[1].place, file("f_2"));
}

#[test]
fn patterns_of_uploads_go_to_each_url() {
    let all = job("-T d/{a,b} sftp://h/[1-2]/ -T {c} sftp://h/x").expect("jobs");
    let urls: Vec<_> = all.iter().map(|job| &*job.url).collect();
    let wanted = ["1/a", "2/a", "1/b", "2/b", "x"].map(|path| format!("sftp://h/{path}"));
    assert_eq!(urls, wanted);
    let brackets = job("-g -T {a} h/").expect("jobs");
    assert_eq!(brackets[0].url, "http://h/%7Ba%7D");
    assert_eq!(job("-T {a h/").expect_err("a pattern").code, 3);
    assert_eq!(job("-T f[1-9999] h/[1-99]").expect_err("bounded").code, 2);
}

#[test]
fn sizes_have_suffixes() {
    assert_eq!(size("2k").ok(), Some(2048));
    assert!(size("x").is_err() && size("").is_err());
}
