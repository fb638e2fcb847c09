//! Connecting: each kind of grant beside its denied twin, and the spellings
//! that try to slip past.

use crate::check::Verdict::{Allow, Deny};
use crate::check::check;

#[test]
fn the_empty_policy_allows_nothing() {
    check("", "connect tcp://127.0.0.1:80", Deny);
    check("", "connect tcp://1.1.1.1:80", Deny);
    check("", "connect tcp://1.1.1.1:80 named one.one", Deny);
}

#[test]
fn an_address_covers_itself_on_its_port_and_protocol() {
    let policy = "connect tcp://10.0.0.5:5432";
    check(policy, "connect tcp://10.0.0.5:5432", Allow);
    check(policy, "connect tcp://10.0.0.5:5433", Deny);
    check(policy, "connect udp://10.0.0.5:5432", Deny);
    check(policy, "connect tcp://10.0.0.6:5432", Deny);
    check(policy, "bind tcp://10.0.0.5:5432", Deny);
    check(policy, "listen tcp://10.0.0.5:5432", Deny);
}

#[test]
fn a_name_that_leads_to_a_granted_address_is_allowed() {
    check(
        "connect tcp://10.0.0.5:80",
        "connect tcp://10.0.0.5:80 named db.internal",
        Allow,
    );
    check(
        "connect tcp://10.0.0.5:80",
        "connect tcp://10.0.0.6:80 named db.internal",
        Deny,
    );
}

#[test]
fn a_range_covers_what_lies_in_it() {
    let policy = "connect tcp://10.0.0.0/8:*;connect tcp://[2606:4700::]/32:443";
    check(policy, "connect tcp://10.255.255.255:1", Allow);
    check(policy, "connect tcp://11.0.0.0:1", Deny);
    check(policy, "connect tcp://[2606:4700:1::1]:443", Allow);
    check(policy, "connect tcp://[2606:4701::1]:443", Deny);
}

#[test]
fn ports_are_lists_and_ranges() {
    let policy = "connect tcp://1.1.1.1:80,8000-8999";
    check(policy, "connect tcp://1.1.1.1:80", Allow);
    check(policy, "connect tcp://1.1.1.1:8000", Allow);
    check(policy, "connect tcp://1.1.1.1:8999", Allow);
    check(policy, "connect tcp://1.1.1.1:9000", Deny);
    check(policy, "connect tcp://1.1.1.1:0", Deny);
    check(
        "connect tcp://1.1.1.1:1-65535",
        "connect tcp://1.1.1.1:0",
        Deny,
    );
    check("connect tcp://1.1.1.1:0", "connect tcp://1.1.1.1:0", Allow);
    check("connect tcp://1.1.1.1:*", "connect tcp://1.1.1.1:0", Allow);
    check("connect tcp://1.1.1.1:0", "connect tcp://1.1.1.1:1", Deny);
}

#[test]
fn groups_cover_their_ranges_and_no_others() {
    check(
        "connect tcp://private:80",
        "connect tcp://172.31.0.1:80",
        Allow,
    );
    check(
        "connect tcp://private:80",
        "connect tcp://[fd00::1]:80",
        Allow,
    );
    check(
        "connect tcp://private:80",
        "connect tcp://172.32.0.1:80",
        Deny,
    );
    check(
        "connect tcp://loopback:80",
        "connect tcp://127.9.9.9:80",
        Allow,
    );
    check("connect tcp://loopback:80", "connect tcp://[::1]:80", Allow);
    check(
        "connect tcp://loopback:80",
        "connect tcp://10.0.0.1:80",
        Deny,
    );
    check(
        "connect tcp://link-local:80",
        "connect tcp://169.254.1.1:80",
        Allow,
    );
    check(
        "connect tcp://link-local:80",
        "connect tcp://[fe80::1%3]:80",
        Allow,
    );
    check(
        "connect tcp://link-local:80",
        "connect tcp://[fec0::1]:80",
        Deny,
    );
    check(
        "connect udp://multicast:5353",
        "connect udp://224.0.0.251:5353",
        Allow,
    );
    check(
        "connect udp://multicast:5353",
        "connect udp://[ff02::fb]:5353",
        Allow,
    );
    check(
        "connect udp://multicast:5353",
        "connect udp://240.0.0.1:5353",
        Deny,
    );
    check(
        "connect tcp://any:80",
        "connect tcp://255.255.255.255:80",
        Allow,
    );
    check("connect tcp://any:80", "connect tcp://[100::1]:80", Allow);
    check("connect tcp://any:80", "connect tcp://1.1.1.1:81", Deny);
}

/// Each as its cloud documents it.
const METADATA: [&str; 16] = [
    "100.96.0.96",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.23",
    "169.254.42.42",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "192.0.0.192",
    "[fd00:42::42]",
    "[fd00:c1::a9fe:a9fe]",
    "[fd00:ec2::23]",
    "[fd00:ec2::254]",
    "[fd00:a9fe:a9fe::1]",
    "[fd20:ce::254]",
    "[fe80::a9fe:a9fe%2]",
];

#[test]
fn metadata_is_reached_by_its_own_word_and_by_number() {
    for address in METADATA {
        let request = format!("connect tcp://{address}:80");
        let grant = |host: &str| format!("connect tcp://{host}:80");
        for word in ["*", "any", "public", "private", "link-local", "loopback"] {
            check(&grant(word), &request, Deny);
        }
        let number = address.replace("%2", "");
        check(&grant("metadata"), &request, Allow);
        check(&grant(&number), &request, Allow);
        let everywhere = if address.starts_with('[') {
            "[::]/0"
        } else {
            "0.0.0.0/0"
        };
        check(&grant(everywhere), &request, Allow);
        // A name may lead there by the same words and numbers.
        let named = format!("{request} named a.b");
        for range in ["any", "public", "private", "link-local"] {
            check(&format!("connect tcp://a.b:80 in {range}"), &named, Deny);
        }
        let number = number.trim_matches(['[', ']']);
        for range in ["metadata", number] {
            check(&format!("connect tcp://a.b:80 in {range}"), &named, Allow);
        }
    }
    check(
        "connect tcp://169.254.0.0/16:80",
        "connect tcp://169.254.169.254:80",
        Allow,
    );
    check(
        "connect tcp://metadata:80",
        "connect tcp://169.254.169.253:80",
        Deny,
    );
    check(
        "connect tcp://link-local:80",
        "connect tcp://169.254.169.253:80",
        Allow,
    );
}

#[test]
fn what_carries_metadata_is_reached_by_no_word() {
    for form in [
        "[::ffff:169.254.169.254]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::169.254.169.254]",
        "[::ffff:0:169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[2001:0:a9fe:a9fe::1]",
        "[2606:4700::5efe:169.254.169.254]",
        "[fd00::5efe:168.63.129.16]",
    ] {
        let request = format!("connect tcp://{form}:80");
        for word in ["*", "any", "public", "private", "link-local"] {
            check(&format!("connect tcp://{word}:80"), &request, Deny);
        }
        check(
            "connect tcp://[::]/0:80",
            &request,
            match form {
                "[::ffff:169.254.169.254]" => Deny,
                _ => Allow,
            },
        );
    }
    // The mapped form is the address.
    check(
        "connect tcp://metadata:80",
        "connect tcp://[::ffff:169.254.169.254]:80",
        Allow,
    );
    check(
        "connect tcp://metadata:80",
        "connect tcp://[64:ff9b::169.254.169.254]:80",
        Deny,
    );
}

#[test]
fn a_deny_of_any_word_that_would_hold_metadata_does() {
    for (word, address) in [
        ("*", "169.254.169.254"),
        ("any", "168.63.129.16"),
        ("any", "[64:ff9b::169.254.169.254]"),
        ("link-local", "169.254.169.254"),
        ("link-local", "[::ffff:169.254.169.254]"),
        ("private", "[fd00:ec2::254]"),
        ("public", "168.63.129.16"),
        ("metadata", "192.0.0.192"),
        ("metadata", "[2002:a9fe:a9fe::1]"),
    ] {
        let granted = "connect tcp://0.0.0.0/0:80;connect tcp://[::]/0:80";
        let request = format!("connect tcp://{address}:80");
        check(granted, &request, Allow);
        check(
            &format!("{granted};deny connect tcp://{word}:80"),
            &request,
            Deny,
        );
    }
}

#[test]
fn public_is_what_the_registries_leave() {
    for special in [
        "0.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::10.0.0.1]",
        "[64:ff9b::1.1.1.1]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:1ff::1]",
        "[2001:db8::1]",
        "[2002:a00:1::]",
        "[3fff:fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[4000::1]",
    ] {
        let request = format!("connect tcp://{special}:80");
        check("connect tcp://public:80", &request, Deny);
        check("connect tcp://*:80", &request, Deny);
    }
    for public in [
        "1.1.1.1",
        "9.255.255.255",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.0.3.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "[2001:200::1]",
        "[2001:4860:4860::8888]",
        "[2003::1]",
        "[2606:4700::1111]",
        "[3ffe::1]",
        "[3fff:1000::1]",
    ] {
        let request = format!("connect tcp://{public}:80");
        check("connect tcp://public:80", &request, Allow);
        check("connect tcp://*:80", &request, Allow);
    }
}

#[test]
fn addresses_are_canonical_before_they_are_compared() {
    let policy =
        "connect tcp://any:*;deny connect tcp://10.0.0.0/8:*;deny connect tcp://loopback:*";
    check(policy, "connect tcp://[::ffff:10.0.0.1]:80", Deny);
    check(policy, "connect tcp://[::ffff:127.0.0.1]:80", Deny);
    check(policy, "connect tcp://0.0.0.0:80", Deny);
    check(policy, "connect tcp://[::]:80", Deny);
    check(policy, "connect tcp://[::ffff:0.0.0.0]:80", Deny);
    check(
        "connect tcp://10.0.0.1:80",
        "connect tcp://[::ffff:10.0.0.1]:80",
        Allow,
    );
    check(
        "connect tcp://127.0.0.1:80",
        "connect tcp://0.0.0.0:80",
        Allow,
    );
    check(
        "connect tcp://0.0.0.0:80",
        "connect tcp://127.0.0.1:80",
        Allow,
    );
    check("connect tcp://[::]:80", "connect tcp://[::1]:80", Allow);
    check(
        "connect tcp://[::ffff:10.0.0.0]/104:80",
        "connect tcp://10.9.9.9:80",
        Allow,
    );
}

#[test]
fn a_denied_range_catches_what_carries_its_addresses() {
    let policy = "connect tcp://any:*;deny connect tcp://10.0.0.0/8:*";
    for carrier in [
        "[::10.1.2.3]",
        "[64:ff9b::10.1.2.3]",
        "[64:ff9b:1::10.1.2.3]",
        "[64:ff9b:1:a01:2:300::]",
        "[2002:a01:203::1]",
        "[2001:0:a01:203::1]",
        "[2001:0:101:101::f5fe:fdfc]",
    ] {
        check(policy, &format!("connect tcp://{carrier}:80"), Deny);
    }
    check(policy, "connect tcp://[64:ff9b::11.1.2.3]:80", Allow);
    check(policy, "connect tcp://[2002:b01:203::1]:80", Allow);
    // ::1 is loopback and carries no 0.0.0.1.
    check(
        "connect tcp://any:*;deny connect tcp://0.0.0.0/8:*",
        "connect tcp://[::1]:80",
        Allow,
    );
}

#[test]
fn a_grant_does_not_cover_what_carries_its_addresses() {
    check(
        "connect tcp://10.0.0.0/8:*",
        "connect tcp://[64:ff9b::10.1.2.3]:80",
        Deny,
    );
    check(
        "connect tcp://10.0.0.0/8:*",
        "connect tcp://[2002:a01:203::1]:80",
        Deny,
    );
}

#[test]
fn a_deny_wins_over_every_grant() {
    let policy = "connect tcp://10.0.0.5:80;connect tcp://any:*;deny connect tcp://10.0.0.0/8:80";
    check(policy, "connect tcp://10.0.0.5:80", Deny);
    check(policy, "connect tcp://10.0.0.5:81", Allow);
    check(policy, "connect udp://10.0.0.5:81", Deny);
}

#[test]
fn a_name_covers_public_addresses_only() {
    let policy = "connect tcp://db.example.com:5432";
    check(
        policy,
        "connect tcp://1.2.3.4:5432 named db.example.com",
        Allow,
    );
    check(policy, "connect tcp://1.2.3.4:5432", Deny);
    check(
        policy,
        "connect tcp://1.2.3.4:5432 named other.example.com",
        Deny,
    );
    check(
        policy,
        "connect tcp://1.2.3.4:5433 named db.example.com",
        Deny,
    );
    for rebound in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::ffff:10.0.0.1]",
    ] {
        let request = format!("connect tcp://{rebound}:5432 named db.example.com");
        check(policy, &request, Deny);
    }
}

#[test]
fn in_widens_where_a_name_may_lead() {
    let policy = "connect tcp://db.internal:5432 in private,192.0.2.7";
    check(
        policy,
        "connect tcp://10.0.0.5:5432 named db.internal",
        Allow,
    );
    check(
        policy,
        "connect tcp://192.0.2.7:5432 named db.internal",
        Allow,
    );
    check(
        policy,
        "connect tcp://1.2.3.4:5432 named db.internal",
        Allow,
    );
    check(
        policy,
        "connect tcp://127.0.0.1:5432 named db.internal",
        Deny,
    );
    check(policy, "connect tcp://10.0.0.5:5432", Deny);
}

#[test]
fn a_pattern_covers_names_below_label_by_label() {
    let policy = "connect tcp://*.x.com:443";
    check(policy, "connect tcp://1.2.3.4:443 named a.x.com", Allow);
    check(policy, "connect tcp://1.2.3.4:443 named a.b.x.com", Allow);
    check(policy, "connect tcp://1.2.3.4:443 named A.X.COM.", Allow);
    check(policy, "connect tcp://1.2.3.4:443 named x.com", Deny);
    check(policy, "connect tcp://1.2.3.4:443 named notx.com", Deny);
    check(
        policy,
        "connect tcp://1.2.3.4:443 named a.x.com.evil.org",
        Deny,
    );
    check(policy, "connect tcp://10.0.0.1:443 named a.x.com", Deny);
}

#[test]
fn localhost_names_lead_to_loopback_and_nowhere_else() {
    let policy = "connect tcp://localhost:80;connect tcp://*.localhost:81";
    check(policy, "connect tcp://127.0.0.1:80 named localhost", Allow);
    check(policy, "connect tcp://[::1]:80 named localhost", Allow);
    check(
        policy,
        "connect tcp://127.0.0.1:81 named app.localhost",
        Allow,
    );
    check(policy, "connect tcp://127.0.0.1:81 named localhost", Deny);
    check(policy, "connect tcp://8.8.8.8:80 named localhost", Deny);
    check(policy, "connect tcp://10.0.0.1:80 named localhost", Deny);
    check(policy, "connect tcp://127.0.0.1:80", Deny);
    check(
        "connect tcp://*:80",
        "connect tcp://127.0.0.1:80 named localhost",
        Deny,
    );
}

#[test]
fn a_deny_matches_by_name_or_by_address() {
    let policy = "connect tcp://*:*;connect tcp://private:*;deny connect tcp://*.evil.com:*";
    check(policy, "connect tcp://1.2.3.4:80 named a.evil.com", Deny);
    check(policy, "connect tcp://10.0.0.1:80 named a.evil.com", Deny);
    check(policy, "connect tcp://1.2.3.4:80 named evil.com", Allow);
    check(policy, "connect tcp://1.2.3.4:80", Allow);
    let policy = "connect tcp://db.internal:* in any;deny connect tcp://10.0.0.5:*";
    check(policy, "connect tcp://10.0.0.5:80 named db.internal", Deny);
    check(policy, "connect tcp://10.0.0.6:80 named db.internal", Allow);
}

#[test]
fn a_denied_star_is_every_address_and_every_name() {
    let policy = "connect tcp://any:*;connect tcp://db.internal:* in any;deny connect tcp://*:25";
    check(policy, "connect tcp://10.0.0.5:25", Deny);
    check(policy, "connect tcp://[::1]:25", Deny);
    check(policy, "connect tcp://1.2.3.4:25 named db.internal", Deny);
    check(policy, "connect tcp://10.0.0.5:26", Allow);
}

#[test]
fn a_denied_localhost_catches_loopback() {
    let policy = "connect tcp://any:*;deny connect tcp://localhost:80";
    check(policy, "connect tcp://127.0.0.1:80", Deny);
    check(policy, "connect tcp://[::1]:80 named app.localhost", Deny);
    check(policy, "connect tcp://127.0.0.1:81", Allow);
}
