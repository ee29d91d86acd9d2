"""The records that a domain should publish, as values and as a zone."""

import dns.rdatatype
import dns.zone

from mailraven.dns import PublishedKey, domain_records, zone_text

LONG = PublishedKey("mr202611a", "rsa", "A" * 736)
SHORT = PublishedKey("mr202611b", "ed25519", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")


def test_all_of_a_domain() -> None:
    found = [(r.name, r.type, r.value) for r in domain_records("example.org", "mx.example.net", [SHORT])]
    assert found == [
        ("example.org", "MX", "10 mx.example.net"),
        ("example.org", "TXT", "v=spf1 mx -all"),
        ("mr202611b._domainkey.example.org", "TXT", f"v=DKIM1; k=ed25519; p={SHORT.public_key}"),
        ("_dmarc.example.org", "TXT", "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.org"),
        ("_submissions._tcp.example.org", "SRV", "0 1 465 mx.example.net"),
        ("_submission._tcp.example.org", "SRV", "10 1 587 mx.example.net"),
        ("_imaps._tcp.example.org", "SRV", "0 1 993 mx.example.net"),
    ]


def test_long_texts_are_split_and_join_again() -> None:
    record = domain_records("example.org", "mx.example.org", [LONG])[2]
    assert [len(part) for part in record.strings] == [255, 255, 244]
    assert "".join(record.strings) == record.value


def test_the_zone_is_one() -> None:
    records = domain_records("example.org", "mx.example.net", [LONG, SHORT])
    text = "$ORIGIN example.org.\n@ 60 SOA ns hostmaster 1 60 60 60 60\n@ 60 NS ns\n" + zone_text(records)
    zone = dns.zone.from_text(text, origin="example.org.", relativize=False)
    for record in records:
        node = zone.get_node(record.name + ".")
        assert node is not None
        rdataset = node.get_rdataset(zone.rdclass, dns.rdatatype.from_text(record.type))
        assert rdataset is not None
        if record.type == "TXT":
            assert b"".join(rdataset[0].strings).decode() == record.value
        else:
            assert rdataset[0].to_text() == record.value + "."
