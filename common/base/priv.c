/* SPDX-License-Identifier: Apache-2.0 */
/* Privileges. */
#include "common/base/priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int find_ids(const char *user, const char *group, uid_t *uid, gid_t *gid, struct err *e)
{
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL) {
        return err_set(e, ERR_UNKNOWN,
                       "pushd.user names the user \"%s\", which does not exist%s%s: create it with "
                       "\"adduser --system --group %s\" or set another one",
                       user, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "", user);
    }
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    if (group == NULL || *group == '\0') {
        return 0;
    }
    const struct group *gr = getgrnam(group);
    if (gr == NULL) {
        return err_set(e, ERR_UNKNOWN,
                       "pushd.group names the group \"%s\", which does not exist: create it or set "
                       "another one",
                       group);
    }
    *gid = gr->gr_gid;
    return 0;
}

int priv_drop(const char *user, const char *group, struct err *e)
{
    if (geteuid() != 0 || user == NULL || *user == '\0') {
        return 0;
    }
    uid_t uid = 0;
    gid_t gid = 0;
    int rc = find_ids(user, group, &uid, &gid, e);
    if (rc != 0) {
        return rc;
    }
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
        return err_set(e, ERR_IO, "cannot become user \"%s\" (pushd.user): %s", user,
                       strerror(errno));
    }
    if (uid != 0 && setuid(0) == 0) {
        return err_set(e, ERR_IO, "user \"%s\" (pushd.user) was able to become root again", user);
    }
    /* Refused by old sandboxes only; the rights are gone all the same. */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return 0;
}

uint64_t priv_raise_fd_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0) {
        return 0;
    }
    if (l.rlim_cur < l.rlim_max) {
        struct rlimit wanted = {.rlim_cur = l.rlim_max, .rlim_max = l.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
            return wanted.rlim_cur;
        }
    }
    return l.rlim_cur;
}
