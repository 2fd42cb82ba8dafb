# SPDX-License-Identifier: Apache-2.0
"""admin - the admin API as a program uses it."""
import base64

from . import canary

JSON = {"Content-Type": "application/json"}


def login(user):
    return {"Authorization": "Basic " + base64.b64encode(
        ("%s:%s" % (user, canary.PASSWORD)).encode()).decode()}


LI, WANG = login("li"), login("wang")


def admin_location(base, extra=""):
    return ('<Location "%s">\nSetHandler bailian-admin\nAuthType Basic\n'
            'AuthName admin\nAuthUserFile users\nRequire valid-user\n%s'
            '</Location>\n' % (base, extra))


LOCATION = admin_location("/bailian-admin")


def metric(env, name):
    """The sum of a metric over its labels."""
    lines = env.get("/bailian-admin/metrics", LI).body.decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines]
    values = [float(value) for series, value in found
              if series.split("{")[0] == "bailian_" + name]
    assert values, name
    return sum(values)


class Admin:
    """One user of it; paths are below {base}/api/."""

    def __init__(self, env, user=LI, base="/bailian-admin"):
        self.env = env
        self.user = user
        self.base = base + "/api/"

    def get(self, path, headers=None):
        return self.env.get(self.base + path, dict(self.user, **(headers or {})))

    def change(self, method, path, body=None, version=None, headers=None):
        fields = dict(self.user, **JSON)
        if version is not None:
            fields["If-Match"] = '"%s"' % version
        fields.update(headers or {})
        return self.env.http(method, self.base + path, body, fields)

    def post(self, path, body=None, version=None, headers=None):
        return self.change("POST", path, body, version, headers)

    def patch(self, path, body, version=None, headers=None):
        return self.change("PATCH", path, body, version, headers)

    def delete(self, path, version=None, headers=None):
        return self.change("DELETE", path, None, version, headers)

    def items(self, path):
        """All pages of a list."""
        found, mark = [], "&" if "?" in path else "?"
        page = self.get(path).json()
        while True:
            found += page["items"]
            if page["next"] is None:
                return found
            page = self.get(path + mark + "cursor=" + page["next"]).json()
