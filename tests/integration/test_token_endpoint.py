# SPDX-License-Identifier: Apache-2.0
"""The token endpoint: a session of the application becomes a token, from all three sources, and refusals are told apart."""
import base64
import http.server
import json
import re
import threading
import time

from harness import PROMPT, SECRET, System, check, claims_of, equal, has, timed, token
from harness.tokens import is_signed_by

TOKEN = "/api/v1/centrifugo/token"
SUBSCRIPTION = "/api/v1/centrifugo/subscription_token"
TEMPLATES = ["org:{org}:messages", "org:{org}:tickets"]
COOKIE_SECRET = "cookie-secret-0123456789abcdef-0123456789"


def settings(**session):
    return {"pushd": {"token": {"channels": TEMPLATES, "session": session}}}


def ask(system, path=TOKEN, cookie=None, status=200, **headers):
    if cookie is not None:
        headers["Cookie"] = cookie
    reply = system.http("GET", path, headers=headers)
    equal(reply.status, status, "GET %s answered %r; status" % (path, reply))
    if status == 200:
        check("no-store" in reply.headers.get("cache-control", ""), "a token must not be cached: %r" % reply.headers)
        text = reply.json()["token"]
        check(is_signed_by(text, SECRET), "the token is signed with the configured secret")
        return text
    return reply


def opens_the_door(system, text, user, channels):
    """The token connects, as the user, with the organisation's channels, and lasts an hour."""
    client = system.open()
    reply = client.connect(token=text)
    equal(sorted(reply.get("subs", {})), channels, "server-side subscriptions")
    check(3000 <= reply["ttl"] <= 3600, "ttl %d" % reply["ttl"])
    equal(claims_of(text)["sub"], user, "user")
    for channel in channels:
        system.publish(channel, {"to": channel})
        equal(client.publication()["data"], {"to": channel}, "what arrives")


def test_session_from_a_variable(test):
    """REMOTE_USER and REMOTE_ORGS, set by the web server after its own authentication."""
    session = {"who=ada": {"REMOTE_USER": "ada", "REMOTE_ORGS": "123, 456"}}
    system = System(test, settings(), session=session)
    text = ask(system, cookie="who=ada")
    opens_the_door(system, text, "ada", ["org:123:messages", "org:123:tickets", "org:456:messages", "org:456:tickets"])
    ask(system, cookie="who=eve", status=401)


def test_a_client_cannot_set_the_variable(test):
    """Headers of the request do not become the variables of the session."""
    for front in ("lighttpd", "nginx"):
        system = System(test, settings(), front=front, node=front)
        for name in ("REMOTE_USER", "Remote-User", "X-Remote-User", "HTTP_REMOTE_USER"):
            ask(system, status=401, **{name: "eve"})
        # A name in a Basic header that nobody checked is no user either.
        ask(system, status=401, Authorization="Basic " + base64.b64encode(b"eve:x").decode())


class Auth(http.server.BaseHTTPRequestHandler):
    """The application behind nginx auth_request: knows one cookie."""

    def do_GET(self):
        known = "sid=good" in self.headers.get("Cookie", "")
        self.send_response(200 if known else 401)
        if known:
            self.send_header("X-User", "ada")
            self.send_header("X-Orgs", "123")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_nginx_auth_request(test):
    """nginx asks the application who it is (auth_request) and passes the answer on as REMOTE_USER."""
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Auth)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    test.on_end(backend.server_close)
    test.on_end(backend.shutdown)
    values = {
        "auth": "auth_request /auth; auth_request_set $auth_user $upstream_http_x_user; "
                "auth_request_set $auth_orgs $upstream_http_x_orgs;",
        "extra": "location = /auth { internal; proxy_pass http://127.0.0.1:%d/auth; proxy_pass_request_body off; "
                 'proxy_set_header Content-Length ""; }' % backend.server_address[1],
        "nginx_session": "fastcgi_param REMOTE_USER $auth_user if_not_empty; "
                         "fastcgi_param REMOTE_ORGS $auth_orgs if_not_empty;",
    }
    system = System(test, settings(), front="nginx", front_values=values, api_headers={"Cookie": "sid=good"})
    text = ask(system, cookie="sid=good")
    opens_the_door(system, text, "ada", ["org:123:messages", "org:123:tickets"])
    ask(system, cookie="sid=bad", status=401)


def test_session_from_a_jwt_cookie(test):
    """A session cookie that is a signed JWT, with its own secret and claims."""
    system = System(test, settings(source="jwt_cookie", cookie="app_session", jwt_hmac_secret_key=COOKIE_SECRET,
                                   user_claim="uid", org_claim="tenants"))
    cookie = token(COOKIE_SECRET, {"uid": "ada", "tenants": ["123"]})
    text = ask(system, cookie="theme=dark; app_session=%s; lang=de" % cookie)
    opens_the_door(system, text, "ada", ["org:123:messages", "org:123:tickets"])
    bad = {
        "another secret": token("x" * 32, {"uid": "ada"}),
        "expired": token(COOKIE_SECRET, {"uid": "ada"}, exp=int(time.time()) - 10),
        "alg none": token("", {"uid": "ada"}, alg="none"),
        "no user": token(COOKIE_SECRET, {"tenants": ["123"]}),
        "the secret of connection tokens": token(SECRET, {"uid": "ada"}),
        "garbage": "garbage",
        "empty": "",
    }
    for name, value in bad.items():
        reply = ask(system, cookie="app_session=" + value, status=401)
        has(reply.text, "not authenticated", name)
    ask(system, status=401)


def test_session_from_redis(test):
    """A session cookie looked up in Redis: key template, user and organisations from JSON paths."""
    system = System(test, settings(source="redis_cookie", cookie="sid", redis_key="app:sess:{cookie}",
                                   user_field="account.id", org_field="account.orgs"))
    with system.resp() as redis:
        redis.call("SET", "app:sess:s1", json.dumps({"account": {"id": "ada", "orgs": ["123", "456"]}, "theme": "dark"}))
        redis.call("SET", "app:sess:s2", json.dumps({"account": {"id": 42, "orgs": [{"id": "7"}]}}))
        redis.call("SET", "app:sess:s3", "not json")
        redis.call("SET", "app:sess:s4", json.dumps({"account": {}}))
        redis.call("SET", "other", json.dumps({"account": {"id": "eve"}}))
    text = ask(system, cookie="sid=s1")
    opens_the_door(system, text, "ada", ["org:123:messages", "org:123:tickets", "org:456:messages", "org:456:tickets"])
    equal(claims_of(ask(system, cookie="sid=s2"))["sub"], "42", "a user id that is a number")
    for cookie in ("s3", "s4", "absent", "", "../other", "s1%0d%0aGET", "*", "s1 s2", "x" * 5000):
        ask(system, cookie="sid=" + cookie, status=401)


@timed
def test_sessions_in_redis_that_is_away(test):
    """Redis down: 503, not 401, in time, and the log says why."""
    system = System(test, {"pushd": {**settings(source="redis_cookie")["pushd"], **PROMPT["pushd"]}})
    system.redis.kill()
    begun = test.clock.mark()
    ask(system, cookie="session=s1", status=503)
    test.clock.at_most(begun, 1.2, "the answer")
    system.api.wait_log("sessions not reachable")


def test_no_organisation_is_403(test):
    """require_org: a user without organisations gets 403, and its line in the log is another one than that of 401."""
    session = {"sid=a": {"REMOTE_USER": "ada"}, "sid=b": {"REMOTE_USER": "bob", "REMOTE_ORGS": "1"}}
    system = System(test, {"pushd": {"token": {"channels": TEMPLATES, "require_org": True}}}, session=session)
    ask(system, cookie="sid=b")
    reply = ask(system, cookie="sid=a", status=403)
    has(reply.text, "organi", "the answer")
    system.api.wait_log(r"(?i)no organi[sz]ation access.*user=ada")
    ask(system, cookie="sid=x", status=401)
    system.api.wait_log(r"(?i)not authenticated")


def test_missing_secret_is_503(test):
    """Without a secret: 503 and the line that the guide tells people to look for."""
    system = System(test, {"client": {"token": None, "allow_anonymous_connect_without_token": True}},
                    session={None: {"REMOTE_USER": "ada"}})
    reply = ask(system, status=503)
    has(reply.text, "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY", "the answer")
    system.api.wait_log("CENTRIFUGO_TOKEN_HMAC_SECRET_KEY not configured")


def test_subscription_tokens(test):
    """The second endpoint mints a token for one channel that the templates lead to, and for no other."""
    session = {None: {"REMOTE_USER": "ada", "REMOTE_ORGS": "123"}}
    config = settings()
    config["pushd"]["token"]["channels_as"] = "permission"
    config["channel"] = {"namespaces": [{"name": "org"}]}  # only a token lets a client in
    system = System(test, config, session=session)
    text = ask(system)
    check("subs" not in claims_of(text) and not claims_of(text).get("channels"), "permission only: %r" % claims_of(text))
    client = system.open()
    client.connect(token=text)
    equal(client.call(subscribe={"channel": "org:123:messages"}).get("error", {}).get("code"), 103, "without a token")
    one = ask(system, SUBSCRIPTION + "?channel=org%3A123%3Amessages")
    equal(claims_of(one)["channel"], "org:123:messages", "the channel of the token")
    client.subscribe("org:123:messages", token=one)
    for channel in ("org%3A999%3Amessages", "closed%3Ax", "org%3A123%3Asecret"):
        ask(system, SUBSCRIPTION + "?channel=" + channel, status=403)
    ask(system, SUBSCRIPTION, status=400)


def test_path_and_ttl_are_configurable(test):
    """token.endpoint and ttl move; the old path is gone."""
    config = {"pushd": {"token": {"endpoint": "/api/my/token", "ttl": "90s"}}}
    system = System(test, config, session={None: {"REMOTE_USER": "ada"}})
    begun = time.time()
    claims = claims_of(ask(system, "/api/my/token"))
    check(begun + 88 <= claims["exp"] <= time.time() + 91, "exp in %.0f s" % (claims["exp"] - time.time()))
    equal(system.http("GET", TOKEN).status, 404, "the default path")


def test_user_ids_with_odd_letters(test):
    """A user id may hold anything that JSON can; a channel template with an organisation that cannot is refused."""
    system = System(test, settings(source="jwt_cookie", jwt_hmac_secret_key=COOKIE_SECRET))
    for user in ('a"b\\c', "ü\u2028\u0001", "<script>", "x" * 300):
        cookie = token(COOKIE_SECRET, {"sub": user})
        equal(claims_of(ask(system, cookie="session=" + cookie))["sub"], user, "user")
    cookie = token(COOKIE_SECRET, {"sub": "ada", "orgs": ["1,2", "a b", "", "x\ny"]})
    reply = system.http("GET", TOKEN, headers={"Cookie": "session=" + cookie})
    check(reply.status in (200, 403), "odd organisations: %r" % reply)
    if reply.status == 200:
        for channel in claims_of(reply.json()["token"]).get("subs", {}):
            check(re.fullmatch(r"org:[^\n:]*:(messages|tickets)", channel), "channel %r" % channel)
