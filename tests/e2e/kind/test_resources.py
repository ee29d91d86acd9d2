"""kubectl apply gives domains and users with which real clients work."""

import smtplib

from mailraven.testing.cluster import Cluster, until
from mailraven.testing.traffic import Person, open_mailbox, subjects, without_verification


def test_ready_in_30_seconds_and_mail_goes_in_out_and_to_a_second_domain(
    new_town, cluster: Cluster, figures, address
) -> None:
    here, there = new_town(), new_town()
    seconds = here.settle("ann", "bob")
    there.settle("cleo")
    figures("MailDomain and 2 MailUsers Ready", f"{seconds:.1f} s")
    assert seconds < 30
    ann, cleo = here.people["ann"], there.people["cleo"]

    with smtplib.SMTP(*address("smtp"), timeout=30) as client:  # 25: from the internet
        client.sendmail("x@elsewhere.example", [ann.address], "Subject: from-outside\r\n\r\nhello\r\n")
    until(lambda: "from-outside" in subjects(address("imaps"), ann), "mail from outside", 30)

    with smtplib.SMTP(*address("submission"), timeout=30) as client:  # 587
        client.starttls(context=without_verification())
        client.login(ann.address, ann.password)
        text = f"From: {ann.address}\r\nTo: {cleo.address}\r\nSubject: to-a-second-domain\r\n\r\nhello\r\n"
        client.sendmail(ann.address, [cleo.address], text)
    until(lambda: "to-a-second-domain" in subjects(address("imaps"), cleo), "mail to the second domain", 30)

    # Counted at the domain's next look.
    until(lambda: cluster.get("maildomain", here.domain)["status"]["users"] == 2, "the users are counted", 60)
    status = cluster.get("maildomain", here.domain)["status"]
    assert {record["purpose"] for record in status["dnsRecords"]} >= {"mx", "spf", "dkim", "dmarc"}
    assert [condition["type"] for condition in status["conditions"]][-1] == "Ready"


def test_a_generated_secret_opens_the_mailbox(town, cluster: Cluster, address, secret_values) -> None:
    town.settle()
    name = town.name("dan")
    user = town.mail_user("dan")
    del user["spec"]["passwordSecretRef"]
    user["spec"]["generatedSecret"] = {"name": f"{name}-password"}
    cluster.apply(user)
    cluster.wait_ready("mailuser", name)
    values = secret_values(f"{name}-password")
    assert values["username"] == f"dan@{town.domain}"
    open_mailbox(address("imaps"), Person(values["username"], values["password"])).logout()


def test_what_is_wrong_is_a_condition_that_names_it(town, cluster: Cluster) -> None:
    town.settle()
    user = town.mail_user("eve")
    cluster.apply(user)  # no Secret

    def reason() -> str:
        conditions = cluster.get("mailuser", town.name("eve")).get("status", {}).get("conditions", [])
        return next((item["reason"] for item in conditions if item["type"] == "Ready"), "")

    assert until(reason, "a condition", 30) == "SecretNotFound"
    cluster.apply(town.secret("eve", "correct-horse-7421-battery"))
    cluster.wait_ready("mailuser", town.name("eve"))
