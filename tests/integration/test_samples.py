# SPDX-License-Identifier: Apache-2.0
"""The samples for web servers in etc/, as they are but for ports and paths: what each location is there for."""
import os

from harness import System, equal, has, wait_for
from harness.fronts import ROOT
from harness.process import Process, find_program
from harness.system import API_KEY, accepts

NGINX = """daemon off; pid {dir}/nginx.pid; error_log stderr warn;
{user}
worker_processes 1; events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; include {sample}; }}
"""
LIGHTTPD = """server.document-root = "{dir}/www"
server.bind = "127.0.0.1"
server.port = {port}
include "{sample}"
"""
APACHE = """ServerRoot "{dir}"
ServerName localhost
PidFile "{dir}/apache.pid"
DefaultRuntimeDir "{dir}"
ErrorLog "/dev/stderr"
Listen 127.0.0.1:{port}
{modules}
{user}
Include {sample}
"""


def start_sample(system, kind, main, argv, changes):
    """Starts the web server with the sample; `changes` are made in it beside those that all need."""
    with open(os.path.join(ROOT, "etc", kind, "pushd.conf"), encoding="utf-8") as source:
        text = source.read()
    for old, new in [("/run/pushd/push-api.sock", system.api_socket), *changes]:
        has(text, old, "etc/%s/pushd.conf" % kind)
        text = text.replace(old, new)
    sample, path = os.path.join(system.dir, "sample.conf"), os.path.join(system.dir, "main.conf")
    with open(sample, "w", encoding="utf-8") as target:
        target.write(text)
    user = {"nginx": "user root;", "apache": "User www-data\nGroup www-data"}.get(kind, "") if os.geteuid() == 0 else ""
    # What a2enmod loads by the first lines of the sample, and what Debian's Apache has loaded anyway.
    modules = "\n".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so" % (name, name) for name in
                        ("mpm_event", "authz_core", "authz_host", "proxy", "proxy_http", "proxy_fcgi"))
    with open(path, "w", encoding="utf-8") as target:
        target.write(main.format(dir=system.dir, port=system.port, sample=sample, user=user, modules=modules))
    if kind == "apache":  # its workers are another user's
        os.chmod(system.dir, 0o755)
        os.chmod(system.api_socket, 0o666)
    system.front = system.test.add(Process(kind, [find_program(argv[0]), *argv[1:], path], system.dir, clean=(0, 1)))
    wait_for(lambda: accepts(("127.0.0.1", system.port)), kind + " listens", alive=[system.front])
    system.url = "http://127.0.0.1:%d" % system.port


def walk(system):
    """One request for each location, as its user makes it."""
    system.wait_ready()
    for path, status in (("/api/ping", 200), ("/health", 200), ("/ready", 200), ("/metrics", 200), ("/admin", 401),
                         ("/api/v1/centrifugo/token", 401)):
        equal(system.http("GET", path).status, status, path)
    key = {"Authorization": "apikey " + API_KEY}
    client = system.client(via="front")
    client.subscribe("test")
    equal(system.http("POST", "/api/publish", {"channel": "test", "data": 1}, key).status, 200, "publish")
    equal(client.publication()["data"], 1, "what arrives")
    legacy = {"method": "publish", "params": {"channel": "test", "data": 2}}
    equal(system.http("POST", "/api", legacy, key).status, 200, "the older form")
    equal(client.publication()["data"], 2, "what arrives")
    reply = system.http("GET", "/connection/websocket", headers={"Upgrade": "h2c", "Connection": "Upgrade"})
    equal(reply.status, 400, "an upgrade to another protocol: %r" % reply)


def ports(system):
    return [("8001", str(system.ws_port)), ("8002", str(system.admin_port))]


def begun(test):
    system = System(test, start=False)
    system.start_redis()
    system.start_pushd()
    system.start_api()
    return system


def test_nginx(test):
    """etc/nginx/pushd.conf"""
    system = begun(test)
    start_sample(system, "nginx", NGINX, ["nginx", "-c"], ports(system) + [
        ("listen 80;", "listen 127.0.0.1:%d;" % system.port), ("listen [::]:80;", ""),
        ("/etc/nginx/pushd-fastcgi.conf", os.path.join(ROOT, "etc/nginx/pushd-fastcgi.conf"))])
    walk(system)


def test_lighttpd(test):
    """etc/lighttpd/pushd.conf"""
    system = begun(test)
    start_sample(system, "lighttpd", LIGHTTPD, ["lighttpd", "-D", "-f"], ports(system) + [
        ("server.max-fds = 131072", "server.max-fds = 1024"), ("server.max-connections = 65536", "server.max-connections = 256")])
    walk(system)


def test_apache(test):
    """etc/apache/pushd.conf"""
    system = begun(test)
    start_sample(system, "apache", APACHE, ["apache2", "-DFOREGROUND", "-f"], ports(system) + [
        ("<VirtualHost *:80>", "<VirtualHost *:%d>" % system.port)])
    walk(system)
