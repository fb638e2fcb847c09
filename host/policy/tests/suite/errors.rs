//! Mistakes in grants: what is said, and what it points at.

use portcullis_policy::Grant;

/// The mistake in `text`: the part it points at, and what it says.
#[track_caller]
fn mistake(text: &str, at: &str, says: &str) {
    let error = Grant::parse(text).unwrap_err();
    let pointed = &text[error.offset..error.offset + error.len];
    assert_eq!((pointed, error.to_string().as_str()), (at, says), "{text}");
}

#[test]
fn verbs_are_checked_first() {
    mistake(
        "conect tcp://a.b:1",
        "conect",
        "unknown verb `conect`; did you mean `connect`?",
    );
    mistake(
        "CONNECT tcp://a.b:1",
        "CONNECT",
        "unknown verb `CONNECT`; did you mean `connect`?",
    );
    mistake(
        "accept tcp://a.b:1",
        "accept",
        "unknown verb `accept`; `listen` covers accepting; bound the peers with `from`",
    );
    mistake(
        "frobnicate tcp://a.b:1",
        "frobnicate",
        "unknown verb `frobnicate`; a grant starts with `connect`, `listen`, `bind`, `join` or \
         `resolve`",
    );
    mistake(
        "tcp://a.b:1",
        "tcp://a.b:1",
        "the verb is missing; start with `connect`, `listen`, `bind`, `join` or `resolve`",
    );
    mistake(
        "unix:/run/x",
        "unix:/run/x",
        "the verb is missing; start with `connect`, `listen`, `bind`, `join` or `resolve`",
    );
    mistake(
        "",
        "",
        "the grant is empty; write for example `connect tcp://example.com:443`",
    );
    mistake(
        "connect",
        "",
        "`connect` what?; write for example `connect tcp://127.0.0.1:8080`",
    );
}

/// Which looks like the right protocol to whoever wrote it.
#[test]
fn a_protocol_without_its_slashes_is_told_of_them() {
    for text in [
        "listen tcp:/127.0.0.1:6500",
        "listen tcp:127.0.0.1:6500",
        "listen tcp//127.0.0.1:6500",
        "listen tcp/127.0.0.1:6500",
    ] {
        let (_, endpoint) = text.split_once(' ').unwrap();
        let says = "`://` stands between `tcp` and the host; did you mean `listen \
                    tcp://127.0.0.1:6500`?";
        mistake(text, endpoint, says);
    }
    mistake(
        "connect udp:[::1]:53",
        "udp:[::1]:53",
        "`://` stands between `udp` and the host; did you mean `connect udp://[::1]:53`?",
    );
    mistake(
        "listen tcp:8080",
        "tcp:8080",
        "`://` stands between `tcp` and the host; did you mean `listen tcp://*:8080`?",
    );
    mistake(
        "connect tcp:443",
        "tcp:443",
        "`://` stands between `tcp` and the host; write for example `connect \
         tcp://127.0.0.1:8080`",
    );
    // A word is never told to be itself.
    let error = Grant::parse("listen tcp:@x").unwrap_err().to_string();
    assert!(!error.contains("did you mean `tcp`?"), "{error}");
}

#[test]
fn endpoints_say_what_is_missing() {
    mistake(
        "connect a.b:80",
        "a.b:80",
        "the protocol is missing; did you mean `connect tcp://a.b:80`?",
    );
    mistake(
        "listen :80",
        ":80",
        "the protocol is missing; did you mean `listen tcp://*:80`?",
    );
    mistake(
        "connect :80",
        ":80",
        "the protocol is missing; write for example `connect tcp://127.0.0.1:8080`",
    );
    mistake(
        "connect tcp://a.b",
        "",
        "the port is missing; write for example `tcp://example.com:443`, or `:*` for every port",
    );
    mistake(
        "connect tcp://a.b:",
        "",
        "the port is missing; write a number, a service such as `https`, a list such as \
         `80,8000-8999`, or `*` for every port",
    );
    mistake(
        "connect https://a.b/path",
        "https",
        "unknown protocol `https`; a grant takes no URL; did you mean `connect tcp://a.b:443`?",
    );
    for (url, endpoint) in [
        ("http://127.0.0.1:17001", "127.0.0.1:17001"),
        ("https://a.b:8443/path:1", "a.b:8443"),
        ("https://a.b:https/path", "a.b:443"),
        ("https://a.b?c:1", "a.b:443"),
        ("ws://[::1]/", "[::1]:80"),
        ("wss://[::1]:8443", "[::1]:8443"),
    ] {
        let (protocol, _) = url.split_once(':').unwrap();
        mistake(
            &format!("listen {url}"),
            protocol,
            &format!(
                "unknown protocol `{protocol}`; a grant takes no URL; \
                 did you mean `listen tcp://{endpoint}`?"
            ),
        );
        let twice = format!("a grant takes no URL; did you mean `connect tcp://{endpoint}`?");
        mistake(&format!("connect tcp://{url}"), url, &twice);
    }
    mistake(
        "connect tpc://a.b:1",
        "tpc",
        "unknown protocol `tpc`; did you mean `tcp`?",
    );
    mistake(
        "connect gopher://a.b:1",
        "gopher",
        "unknown protocol `gopher`; write `tcp://` or `udp://` before a host, `unix:` or \
         `unixgram:` before a path",
    );
    mistake(
        "connect unx:/run/x",
        "unx",
        "unknown protocol `unx`; did you mean `unix`?",
    );
    mistake(
        "connect /run/x",
        "/run/x",
        "the protocol is missing; a path stands behind `unix:` or `unixgram:`",
    );
}

#[test]
fn hosts_are_checked() {
    mistake(
        "connect tcp://::1:80",
        "::1:80",
        "an IPv6 address stands in brackets; write for example `tcp://[::1]:443`",
    );
    mistake(
        "connect tcp://[1.2.3.4]:80",
        "1.2.3.4",
        "not an IPv6 address",
    );
    mistake(
        "connect tcp://[fe80::1%eth0]:80",
        "fe80::1%eth0",
        "zone identifiers are not supported; leave out `%` and what follows it: the grant covers \
         every zone",
    );
    mistake(
        "connect tcp://10.0.0.5/8:80",
        "10.0.0.5/8",
        "the address has bits beyond the prefix length; did you mean `10.0.0.0/8`?",
    );
    mistake(
        "connect tcp://[2606::1]/32:80",
        "[2606::1]/32",
        "the address has bits beyond the prefix length; did you mean `[2606::]/32`?",
    );
    mistake(
        "connect tcp://10.0.0.0/33:80",
        "33",
        "the prefix length is a number from 0 to 32",
    );
    mistake(
        "connect tcp://[2606::]/+8:80",
        "+8",
        "the prefix length is a number from 0 to 128",
    );
    mistake(
        "connect tcp://10.0.0.0/:80",
        "",
        "the prefix length is a number from 0 to 32",
    );
    mistake(
        "connect tcp://127.1:80",
        "127.1",
        "a number is not a name, and not an IPv4 address in dotted decimal",
    );
    mistake("connect tcp://:80", "", "the name is empty");
    mistake(
        "listen tcp://:80",
        "",
        "the name is empty; every address of this machine is `*`",
    );
    mistake(
        "connect tcp://me@a.b:80",
        "me@a.b",
        "'@' does not belong in a name",
    );
    mistake(
        "connect tcp://a.*.b:80",
        "a.*.b",
        "`*` stands alone, or for the labels at the front of a name; write for example \
         `*.example.com`",
    );
}

#[test]
fn ports_are_checked() {
    mistake(
        "connect tcp://a.b:80..90",
        "80..90",
        "a range of ports is written with `-`; did you mean `80-90`?",
    );
    mistake(
        "connect tcp://a.b:80..=90",
        "80..=90",
        "a range of ports is written with `-`; did you mean `80-90`?",
    );
    mistake(
        "connect tcp://a.b:80-http",
        "http",
        "a port is a number, not `http`",
    );
    mistake(
        "connect tcp://a.b:+80",
        "+80",
        "a port is a number, not `+80`",
    );
    mistake(
        "connect tcp://a.b:65536",
        "65536",
        "65536 is not a port; the highest port is 65535",
    );
    mistake(
        "connect tcp://a.b:90-80",
        "90-80",
        "the range of ports runs backwards; did you mean `80-90`?",
    );
    mistake(
        "connect tcp://a.b:0-80",
        "0-80",
        "a range of ports does not start at 0; port 0 is \"the system chooses\": list it by \
         itself, as in `0,1-1023`",
    );
    mistake(
        "connect tcp://a.b:80,,81",
        "",
        "a port is missing; join ports with single commas, as in `80,443`",
    );
    mistake(
        "connect tcp://a.b:80/x",
        "80/x",
        "an endpoint ends with its ports; leave out the slash and what follows it",
    );
}

#[test]
fn services_are_known_and_for_the_protocol() {
    mistake(
        "connect tcp://db.internal:5432,postgress",
        "postgress",
        "unknown service `postgress`; did you mean `postgres`?",
    );
    mistake(
        "connect tcp://a.b:HTTPS",
        "HTTPS",
        "unknown service `HTTPS`; did you mean `https`?",
    );
    mistake(
        "connect tcp://a.b:frobnicate",
        "frobnicate",
        "unknown service `frobnicate`; write the number of its port",
    );
    mistake(
        "listen tcp://*:tftp",
        "tftp",
        "the service `tftp` is not for tcp; it is for udp: write `udp://`, or the number, 69",
    );
    mistake(
        "connect udp://a.b:53,http",
        "http",
        "the service `http` is not for udp; it is for tcp: write `tcp://`, or the number, 80",
    );
    mistake(
        "connect tcp://a.b:ssh-http",
        "ssh-http",
        "a range of ports is written in numbers; did you mean `22-80`?",
    );
    mistake(
        "connect tcp://a.b:http/path",
        "http/path",
        "an endpoint ends with its ports; leave out the slash and what follows it",
    );
    mistake(
        "connect db.internal:postgresql",
        "db.internal:postgresql",
        "the protocol is missing; did you mean `connect tcp://db.internal:postgresql`?",
    );
    mistake(
        "resolve db.internal:postgresql",
        "db.internal:postgresql",
        "`resolve` takes a name without ports; write for example `resolve db.internal`",
    );
}

#[test]
fn clauses_have_their_places() {
    mistake(
        "connect tcp://a.b:80 from private",
        "from",
        "`from` goes only with `listen`; the source address of a connection takes a `bind` grant",
    );
    mistake(
        "bind tcp://a.b:80 from private",
        "from",
        "`from` goes only with `listen`; peers are accepted under a `listen` grant",
    );
    mistake(
        "connect tcp://10.0.0.5:80 in private",
        "in",
        "`in` goes only with names; an address needs no bounds: leave `in` out",
    );
    mistake(
        "connect tcp://*:80 in private",
        "in",
        "`in` goes only with names; name the range itself, as in `connect tcp://private:443`",
    );
    mistake(
        "listen tcp://a.b:80 form private",
        "form",
        "`form` has no place in a grant; did you mean `from`?",
    );
    mistake(
        "listen tcp://a.b:80 from",
        "",
        "`from` what?; write for example `from 10.0.0.0/8,loopback`",
    );
    mistake(
        "listen tcp://a.b:80 from private from loopback",
        "from",
        "a second `from`; join the ranges with commas",
    );
}

#[test]
fn lists_hold_ranges() {
    mistake(
        "listen tcp://a.b:80 from db.internal",
        "db.internal",
        "`from` takes addresses, ranges and groups, not `db.internal`",
    );
    mistake(
        "connect tcp://a.b:80 in privat",
        "privat",
        "`in` takes addresses, ranges and groups, not `privat`; did you mean `private`?",
    );
    mistake(
        "listen tcp://a.b:80 from *",
        "*",
        "`from` takes addresses, ranges and groups, not `*`; every address is `any`",
    );
    mistake(
        "listen tcp://a.b:80 from private, loopback",
        "",
        "a range is missing after `from`; join ranges with single commas, without spaces",
    );
}

#[test]
fn resolve_takes_a_name_alone() {
    mistake(
        "resolve tcp://a.b:53",
        "tcp://a.b:53",
        "`resolve` takes a name alone; write for example `resolve db.internal`",
    );
    mistake(
        "resolve a.b:53",
        "a.b:53",
        "`resolve` takes a name without ports; write for example `resolve db.internal`",
    );
    mistake(
        "resolve 10.0.0.5",
        "10.0.0.5",
        "`resolve` takes a name, not addresses; addresses need no lookup; a name is for example \
         `*.example.com`",
    );
    mistake(
        "resolve a.b in private",
        "in",
        "`resolve` takes a name and nothing else",
    );
    mistake(
        "resolve",
        "",
        "`resolve` what?; write for example `resolve db.internal`",
    );
}

#[test]
fn unix_paths_are_written_in_their_canonical_form() {
    mistake(
        "connect unix:/run//app.sock",
        "/run//app.sock",
        "the path is not in its canonical form; did you mean `unix:/run/app.sock`?",
    );
    mistake(
        "connect unixgram:/run/./app.sock",
        "/run/./app.sock",
        "the path is not in its canonical form; did you mean `unixgram:/run/app.sock`?",
    );
    mistake(
        "connect unix:///run/app.sock",
        "///run/app.sock",
        "the path is not in its canonical form; did you mean `unix:/run/app.sock`?",
    );
    mistake(
        "connect unix:/run//*",
        "/run/",
        "the path is not in its canonical form; did you mean `unix:/run/*`?",
    );
    mistake(
        "connect unix:/run/./app/**",
        "/run/./app",
        "the path is not in its canonical form; did you mean `unix:/run/app/**`?",
    );
    mistake(
        "connect unix:/run/app/../x",
        "/run/app/../x",
        "a path to a unix socket goes through no `..`; did you mean `unix:/run/x`?",
    );
    mistake(
        "connect unix:/run/%2E%2e/*",
        "/run/%2E%2e",
        "a path to a unix socket goes through no `..`; did you mean `unix:/*`?",
    );
    mistake(
        "connect unix:/..",
        "/..",
        "a path to a unix socket goes through no `..`",
    );
    mistake(
        "listen unix:/run/app/",
        "/run/app/",
        "the path ends like that of a folder; every path in the folder is `unix:/run/app/*`",
    );
    mistake(
        "listen unix:/",
        "/",
        "the path ends like that of a folder; every path in the folder is `unix:/*`",
    );
    mistake("listen unix:/run/%00x", "/run/%00x", "a path holds no NUL");
    let long = "x".repeat(107);
    mistake(
        &format!("listen unix:/{long}"),
        &format!("/{long}"),
        "the name of a unix socket has at most 107 bytes",
    );
    mistake(
        &format!("listen unix:@{long}x"),
        &format!("{long}x"),
        "the name of a unix socket has at most 107 bytes",
    );
}

#[test]
fn relative_paths_are_not_guessed_at() {
    for path in [
        "foo.sock",
        "./foo.sock",
        "~/foo.sock",
        "app/foo.sock",
        "run",
        "run/foo.sock",
        "tmp/foo.sock",
    ] {
        mistake(
            &format!("connect unix:{path}"),
            path,
            "the path is not absolute; write it from the root on, as in `unix:/run/app.sock`",
        );
    }
}

#[test]
fn a_grant_has_one_endpoint() {
    mistake(
        "connect tcp://a.b:80,tcp://c.d:81",
        "a.b:80,tcp://c.d:81",
        "a grant has one endpoint; write a grant for each",
    );
    mistake(
        "connect tcp://a.b:80 tcp://c.d:81",
        "tcp://c.d:81",
        "a grant has one endpoint; write a grant for each",
    );
    mistake(
        "connect tcp://a.b,c.d:80",
        "a.b,c.d",
        "a grant has one host; write a grant for each, or a range such as `10.0.0.0/8` or \
         `*.example.com`",
    );
    mistake(
        "connect tcp://http://a.b/path",
        "http://a.b/path",
        "a grant takes no URL; did you mean `connect tcp://a.b:80`?",
    );
}

#[test]
fn unix_names_are_not_left_out() {
    mistake(
        "listen unix:",
        "",
        "the path is missing; write for example `listen unix:/run/app.sock`",
    );
    mistake(
        "listen unixgram:@",
        "",
        "the abstract name is missing; every abstract name is `@*`",
    );
    mistake(
        "connect unix:*",
        "*",
        "`*` alone is no path; every path is `unix:/**`, every abstract name `unix:@*`",
    );
}

#[test]
fn bytes_of_unix_names_are_written_safely() {
    mistake(
        "connect unix:/a,/b",
        ",",
        "`,` does not stand for itself; in a path it is written `%2C`",
    );
    mistake(
        "connect unix:/it's",
        "'",
        "`'` does not stand for itself; in a path it is written `%27`",
    );
    mistake(
        "connect unix:/a\tb",
        "\t",
        "`\\t` does not stand for itself; in a path it is written `%09`",
    );
    mistake(
        "connect unix:/a\u{202e}b",
        "\u{202e}",
        "`\\u{202e}` does not stand for itself; in a path it is written `%E2%80%AE`",
    );
    mistake(
        "connect unix:/a b",
        "b",
        "`b` has no place in a grant; a space in a path is written `%20`",
    );
    mistake(
        "connect unix:/100%",
        "",
        "two hexadecimal digits follow `%`; `%` itself is written `%25`",
    );
    mistake(
        "connect unix:/a%+1b",
        "+1b",
        "two hexadecimal digits follow `%`; `%` itself is written `%25`",
    );
    let star = "`*` stands only in `@*`, or at the end of a path in `/*` or `/**`; a star that \
                belongs to a name is written `%2A`";
    mistake("connect unix:/run/*.sock", "*", star);
    mistake("connect unix:/run/*/x", "*", star);
    mistake("connect unix:/run/a*", "*", star);
    mistake("connect unix:/run/***", "*", star);
    mistake("connect unix:@app-*", "*", star);
}

#[test]
fn unix_sockets_take_no_clauses_and_not_every_verb() {
    mistake(
        "listen unix:/run/x from private",
        "from",
        "`from` goes only with addresses; who may connect to a path, the permissions of its \
         folder say",
    );
    mistake(
        "connect unix:/run/x in private",
        "in",
        "`in` goes only with names of hosts; a unix socket needs no bounds: leave `in` out",
    );
    mistake(
        "join unixgram:/run/x",
        "unixgram:/run/x",
        "`join` takes `udp://` and a multicast address; write for example \
         `join udp://224.0.0.251:5353`",
    );
    mistake(
        "resolve unix:/run/x",
        "unix:/run/x",
        "`resolve` takes a name alone; write for example `resolve db.internal`",
    );
}

#[test]
fn join_takes_multicast_addresses_and_udp() {
    let example = "write for example `join udp://224.0.0.251:5353`";
    mistake("join", "", &format!("`join` what?; {example}"));
    mistake(
        "join tcp://224.0.0.251:5353",
        "tcp",
        &format!("`join` takes `udp` alone; {example}"),
    );
    mistake(
        "join 224.0.0.251:5353",
        "224.0.0.251:5353",
        &format!("`join` takes `udp://` and a multicast address; {example}"),
    );
    for host in [
        "10.0.0.5",
        "224.0.0.0/3",
        "[2001:db8::1]",
        "0.0.0.0",
        "any",
        "public",
        "*",
        "mdns.local",
        "*.local",
    ] {
        mistake(
            &format!("join udp://{host}:5353"),
            host,
            &format!(
                "`join` takes multicast addresses, not `{host}`; they lie in 224.0.0.0/4 and \
                 [ff00::]/8; `multicast` is all of them"
            ),
        );
    }
    mistake(
        "join udp://224.0.0.251:5353 from private",
        "from",
        "`from` goes only with `listen`; senders are accepted under the `listen` grant of the \
         socket",
    );
    mistake(
        "join udp://224.0.0.251:5353 in private",
        "in",
        "`in` goes only with names; an address needs no bounds: leave `in` out",
    );
    mistake(
        "join udp://224.0.0.251",
        "",
        "the port is missing; write for example `udp://example.com:443`, or `:*` for every port",
    );
}

#[test]
fn foreign_text_is_escaped_and_cut() {
    let error = Grant::parse("\u{1b}[31m\u{202e}x tcp://a.b:1").unwrap_err();
    assert_eq!(error.reason, "unknown verb `\\u{1b}[31m\\u{202e}x`");
    let error = Grant::parse(&"v".repeat(10_000)).unwrap_err();
    assert!(error.to_string().len() < 300);
    let error = Grant::parse("connect tcp://a\nb:80").unwrap_err();
    assert_eq!(error.to_string(), "'\\n' does not belong in a name");
}
