//! Reading and printing grants.

use portcullis_policy::Grant;

#[track_caller]
fn prints(text: &str, canonical: &str) {
    let grant = Grant::parse(text).unwrap();
    assert_eq!(grant.to_string(), canonical);
    assert_eq!(Grant::parse(canonical).unwrap(), grant);
}

#[track_caller]
fn prints_itself(text: &str) {
    prints(text, text);
}

#[test]
fn canonical_text_prints_as_it_is() {
    prints_itself("listen tcp://127.0.0.1:8080 from 10.0.0.0/8");
    prints_itself("listen udp://0.0.0.0:5353");
    prints_itself("listen tcp://[::]:80");
    prints_itself("connect tcp://db.internal:5432 in private");
    prints_itself("connect tcp://[2001:db8::]/32:*");
    prints_itself("connect tcp://*:443");
    prints_itself("connect tcp://*.example.com:80,443,8000-8999");
    prints_itself("connect tcp://public:1-65535");
    prints_itself("bind tcp://10.0.0.2:0,4000");
    prints_itself("listen tcp://localhost:80 from 127.0.0.1,::1 in 10.0.0.0/8");
    prints_itself("resolve *.example.com");
    prints_itself("resolve *");
    prints_itself("connect tcp://any.:80");
    prints_itself("resolve public.");
    prints_itself("connect tcp://*.any:80");
    prints_itself("join udp://224.0.0.251:5353");
    prints_itself("join udp://[ff02::fb]:*");
    prints_itself("join udp://[ff02::]/16:0,5353");
    prints_itself("join udp://multicast:*");
    prints_itself("listen unix:/run/app/web.sock");
    prints_itself("connect unixgram:/dev/log");
    prints_itself("connect unix:/srv/app/*");
    prints_itself("connect unix:/srv/app/**");
    prints_itself("connect unix:/*");
    prints_itself("connect unix:/**");
    prints_itself("connect unix:@name");
    prints_itself("bind unixgram:@*");
    prints_itself("connect unix:@/run/../x/");
    prints_itself("connect unix:/a%20b%2C%25%2A%27%22%60%5C%FF%0A");
    prints_itself("connect unix:/a@b:80#~$&(c)+;=?[d]^{e}|<>!-_.");
    prints_itself("connect unix:@%00@%2A");
    prints_itself("connect unix:@%40a@");
}

#[test]
fn other_spellings_print_canonically() {
    prints(
        "  connect   tcp://Example.COM.:443 ",
        "connect tcp://example.com:443",
    );
    prints(
        "connect tcp://bücher.de:80",
        "connect tcp://xn--bcher-kva.de:80",
    );
    prints(
        "connect tcp://[::ffff:10.0.0.5]:80",
        "connect tcp://10.0.0.5:80",
    );
    prints(
        "connect tcp://[::ffff:10.0.0.0]/104:80",
        "connect tcp://10.0.0.0/8:80",
    );
    prints("connect tcp://10.0.0.5/32:80", "connect tcp://10.0.0.5:80");
    prints("connect tcp://0.0.0.0:80", "connect tcp://127.0.0.1:80");
    prints("connect tcp://[::]:80", "connect tcp://[::1]:80");
    prints(
        "connect tcp://a.b:443,80,81-90,85-100,443",
        "connect tcp://a.b:80-100,443",
    );
    prints("connect tcp://a.b:1-5,0,0", "connect tcp://a.b:0,1-5");
    prints("connect tcp://a.b:5-5", "connect tcp://a.b:5");
    prints(
        "connect tcp://a.b:1-65535,65535",
        "connect tcp://a.b:1-65535",
    );
    prints("connect tcp://ANY:80", "connect tcp://any:80");
    prints(
        "listen tcp://*:80 from [::1],private,10.0.0.1,private",
        "listen tcp://*:80 from private,10.0.0.1,::1",
    );
    prints(
        "listen tcp://a.b:80 in private from loopback",
        "listen tcp://a.b:80 from loopback in private",
    );
}

#[test]
fn services_print_as_their_ports() {
    prints(
        "connect tcp://db.internal:postgresql",
        "connect tcp://db.internal:5432",
    );
    prints(
        "connect tcp://a.b:https,8000-8999,http,81",
        "connect tcp://a.b:80-81,443,8000-8999",
    );
    prints(
        "listen tcp://*:ftp-data,iso-tsap,x11-0 from loopback",
        "listen tcp://*:20,102,6000 from loopback",
    );
    prints("connect udp://a.b:syslog", "connect udp://a.b:514");
    prints("connect tcp://a.b:shell", "connect tcp://a.b:514");
    prints("join udp://224.0.0.251:mdns", "join udp://224.0.0.251:5353");
}

#[test]
fn other_spellings_of_bytes_print_canonically() {
    prints("connect unix:/%61%2fb", "connect unix:/a/b");
    prints("connect unix:/b%c3%bc", "connect unix:/b%C3%BC");
    prints("connect unix:/bücher/**", "connect unix:/b%C3%BCcher/**");
    prints("connect unix:@@a", "connect unix:@%40a");
    prints("connect unix:/%2A/*", "connect unix:/%2A/*");
    prints("connect unix:%2Frun", "connect unix:/run");
}

#[test]
fn equal_grants_are_equal_however_they_are_spelled() {
    let one = Grant::parse("connect tcp://A.com:80,81").unwrap();
    assert_eq!(one, Grant::parse("connect tcp://a.com.:80-81").unwrap());
    assert_ne!(one, Grant::parse("connect udp://a.com:80-81").unwrap());
}
