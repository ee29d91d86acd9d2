"""Passwords of MailUsers: from Secrets, made into Secrets, app passwords."""

from typing import Any

import pytest

DOMAIN = "example.org"
ANN = f"ann@{DOMAIN}"
GOOD, BETTER = "wagon 4 copper lantern", "violet 9 harbour trumpet"


@pytest.fixture
async def team(site: Any) -> str:
    """A namespace with a MailDomain."""
    namespace = site.namespace("team")
    await site.domain(namespace, DOMAIN)
    return namespace


def conditions(site: Any, namespace: str) -> dict[str, tuple[str, str, str]]:
    return site.conditions("MailUser", namespace, "ann")


def status(site: Any, namespace: str) -> dict[str, Any]:
    return site.get("MailUser", namespace, "ann")["status"]


async def test_a_password_comes_from_its_secret_when_that_changes(site: Any, team: str) -> None:
    site.make("MailUser", team, "ann", {"address": ANN, "passwordSecretRef": {"name": "ann"}})
    assert (await site.look("MailUser", team, "ann")).failed
    assert conditions(site, team)["CredentialsReady"][:2] == ("False", "SecretNotFound")
    assert conditions(site, team)["Synced"][0] == "True"
    assert (team, "ann") in site.users.touched_by(site.world, "Secret", (team, "ann"))
    site.secret(team, "ann", password=GOOD + "\n")
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["Ready"][:2] == ("True", "Reconciled")
    assert await site.opens(ANN, GOOD)
    uid, _, version = status(site, team)["passwordVersion"].partition("/")
    assert uid
    assert version
    await site.root.put(f"/api/v1/accounts/{ANN}/password", json={"password": BETTER})
    await site.look("MailUser", team, "ann")
    assert await site.opens(ANN, BETTER)  # what people choose themselves stays
    site.secret(team, "ann", password=GOOD + "2")
    await site.look("MailUser", team, "ann")
    assert await site.opens(ANN, GOOD + "2")
    site.secret(team, "ann", password=GOOD + "2", other=BETTER)
    site.change("MailUser", team, "ann", {"passwordSecretRef": {"name": "ann", "key": "other"}})
    await site.look("MailUser", team, "ann")
    assert await site.opens(ANN, BETTER)
    site.change("MailUser", team, "ann", {"passwordSecretRef": {"name": "ann", "key": "none"}})
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["CredentialsReady"][1:] == ("SecretNotFound", "the Secret ann has no key none")
    assert await site.opens(ANN, BETTER)
    site.change("MailUser", team, "ann", {"passwordSecretRef": None})
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["Ready"][0] == "True"
    assert "passwordVersion" not in status(site, team)


async def test_a_refused_password_is_told_without_the_password(site: Any, team: str) -> None:
    site.secret(team, "ann", password="hunter2!")
    site.make("MailUser", team, "ann", {"address": ANN, "passwordSecretRef": {"name": "ann"}})
    await site.look("MailUser", team, "ann")
    found = conditions(site, team)
    assert found["CredentialsReady"][:2] == ("False", "ServerRefused")
    assert "too easy to guess" in found["CredentialsReady"][2]
    assert found["Synced"][0] == "True"
    assert "hunter2" not in str(site.get("MailUser", team, "ann"))
    events = site.kube_api.request("GET", f"/api/v1/namespaces/{team}/events")
    assert "hunter2" not in str(events)
    site.secret(team, "ann", password=GOOD)
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["Ready"][0] == "True"


async def test_an_account_made_again_gets_its_password_again(site: Any, team: str) -> None:
    site.secret(team, "ann", password=GOOD)
    site.make("MailUser", team, "ann", {"address": ANN, "passwordSecretRef": {"name": "ann"}})
    await site.look("MailUser", team, "ann")
    await site.root.delete(f"/api/v1/accounts/{ANN}")
    await site.look("MailUser", team, "ann")
    assert await site.opens(ANN, GOOD)


async def test_a_secret_is_made_once_and_again_when_it_is_gone(site: Any, team: str) -> None:
    await site.root.put(
        "/api/v1/settings/passwords", json={"min_length": 40, "admin_min_length": 40, "min_strength": 4}
    )
    await site.api.services.settings.load()
    site.make("MailUser", team, "ann", {"address": ANN, "generatedSecret": {"name": "ann-mail"}})
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["Ready"][:2] == ("True", "Reconciled")
    secret = site.read_secret(team, "ann-mail")
    password = secret.pop("password")
    assert len(password) == 40
    assert secret == {
        "username": ANN,
        "imap-host": "mail.example.test",
        "imap-port": "993",
        "smtp-host": "mail.example.test",
        "smtp-port": "587",
        "imap-url": f"imaps://ann%40example.org:{password}@mail.example.test:993",
        "smtp-url": f"smtp://ann%40example.org:{password}@mail.example.test:587",
    }
    document = site.secrets(team)[0]
    assert document["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mailraven-operator"
    assert document["metadata"]["ownerReferences"][0]["uid"] == site.get("MailUser", team, "ann")["metadata"]["uid"]
    assert await site.opens(ANN, password)
    version = status(site, team)["passwordVersion"]
    await site.look("MailUser", team, "ann")
    assert status(site, team)["passwordVersion"] == version
    site.change("MailDomain", team, DOMAIN, {"hostname": "mx.example.org"})
    await site.root.put(f"/api/v1/accounts/{ANN}/password", json={"password": BETTER * 2})
    await site.look("MailUser", team, "ann")
    assert site.read_secret(team, "ann-mail")["imap-host"] == "mx.example.org"
    assert site.read_secret(team, "ann-mail")["password"] == password
    assert await site.opens(ANN, BETTER * 2)  # only the hosts are new
    site.delete_secret(team, "ann-mail")
    await site.look("MailUser", team, "ann")
    renewed = site.read_secret(team, "ann-mail")["password"]
    assert renewed != password
    assert await site.opens(ANN, renewed)
    site.change("MailUser", team, "ann", {"generatedSecret": {"name": "renamed"}})
    await site.look("MailUser", team, "ann")
    assert [one["metadata"]["name"] for one in site.secrets(team)] == ["renamed"]


async def test_a_restarted_operator_reads_its_secrets_and_changes_nothing(site: Any, team: str) -> None:
    from mailraven_operator.users.own_secrets import OwnSecrets

    spec = {"address": ANN, "generatedSecret": {"name": "a"}, "appPasswords": [{"name": "x", "secretName": "b"}]}
    site.make("MailUser", team, "ann", spec)
    await site.look("MailUser", team, "ann")
    before = [site.read_secret(team, name) for name in "ab"]
    version = (await site.shown(f"accounts/{ANN}"))["version"]
    site.users._secrets = OwnSecrets()
    await site.look("MailUser", team, "ann")
    assert [site.read_secret(team, name) for name in "ab"] == before
    assert (await site.shown(f"accounts/{ANN}"))["version"] == version
    assert await site.opens(ANN, before[0]["password"])


async def test_secrets_of_others_are_never_touched(site: Any, team: str) -> None:
    site.secret(team, "database", password="the database's")
    before = site.secrets(team)
    spec = {"address": ANN, "generatedSecret": {"name": "database"}}
    site.make("MailUser", team, "ann", spec)
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["CredentialsReady"][:2] == ("False", "Conflict")
    site.change(
        "MailUser", team, "ann", {"generatedSecret": None, "appPasswords": [{"name": "x", "secretName": "database"}]}
    )
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["CredentialsReady"][:2] == ("False", "Conflict")
    assert (await site.shown(f"accounts/{ANN}/app-passwords"))["items"] == []
    await site.delete("MailUser", team, "ann")
    assert site.secrets(team) == before


async def test_app_passwords_are_made_kept_made_again_and_removed(site: Any, team: str) -> None:
    where = f"/api/v1/accounts/{ANN}/app-passwords"
    wanted = [
        {"name": "phone", "secretName": "phone"},
        {"name": "printer", "secretName": "printer", "protocols": ["smtp"]},
    ]
    site.make("MailUser", team, "ann", {"address": ANN, "appPasswords": wanted})
    await site.look("MailUser", team, "ann")
    assert conditions(site, team)["Ready"][:2] == ("True", "Reconciled")
    await site.root.post(where, json={"name": "by hand"})

    async def numbers() -> dict[str, int]:
        return {one["name"]: one["id"] for one in (await site.shown(f"accounts/{ANN}/app-passwords"))["items"]}

    before = await numbers()
    assert set(before) == {"mailuser:phone", "mailuser:printer", "by hand"}
    phone, printer = site.read_secret(team, "phone"), site.read_secret(team, "printer")
    assert "imap-url" in phone
    assert set(printer) == {"username", "password", "smtp-host", "smtp-port", "smtp-url"}
    await site.look("MailUser", team, "ann")
    assert await numbers() == before
    site.delete_secret(team, "phone")
    await site.look("MailUser", team, "ann")
    assert (await numbers())["mailuser:phone"] > before["mailuser:phone"]
    assert site.read_secret(team, "phone")["password"] != phone["password"]
    before = await numbers()
    await site.root.delete(f"{where}/{before['mailuser:printer']}")
    await site.look("MailUser", team, "ann")
    assert (await numbers())["mailuser:printer"] > before["mailuser:printer"]
    assert site.read_secret(team, "printer")["password"] != printer["password"]
    wanted[1]["protocols"] = ["imap"]
    site.change("MailUser", team, "ann", {"appPasswords": wanted})
    await site.look("MailUser", team, "ann")
    assert set(site.read_secret(team, "printer")) == {"username", "password", "imap-host", "imap-port", "imap-url"}
    site.change("MailUser", team, "ann", {"appPasswords": [wanted[0] | {"secretName": "moved"}]})
    await site.look("MailUser", team, "ann")
    assert set(await numbers()) == {"mailuser:phone", "by hand"}
    assert [one["metadata"]["name"] for one in site.secrets(team)] == ["moved"]
