/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keyring_file.h"

#include "base/errors.h"
#include "base/secret.h"
#include "crypto/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 160
#define FILE_BYTES (BL_KEYRING_KEYS * LINE_BYTES)
#define PATH_BYTES 4096

/* What is refused here is refused as this. */
#define say(err, size, ...)                                                    \
    bl_error_say(BL_E_KEYRING_MISSING, err, size, __VA_ARGS__)

static apr_status_t check_file(int fd, const char *path, char *err, size_t size)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return say(err, size, "%s is not a regular file", path);
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return say(err, size,
                   "%s belongs to another user: it must belong to root "
                   "(chown root %s)",
                   path, path);
    }
    if (st.st_mode & 0177) {
        return say(err, size, "%s must have mode 0400 or 0600 (chmod 0400 %s)",
                   path, path);
    }
    return APR_SUCCESS;
}

static apr_status_t slurp(const char *path, char *text, size_t *plen, char *err,
                          size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = 0;
    apr_status_t rv;

    *plen = 0;
    if (fd < 0 && errno == ENOENT) {
        return say(err, size,
                   "%s does not exist: make it by \"bailianctl --master-key "
                   "%s master-key create\", or bring back the one that sealed "
                   "the stored keys",
                   path, path);
    }
    if (fd < 0 && errno == ELOOP) {
        return say(err, size, "%s is a symbolic link: name the file itself",
                   path);
    }
    if (fd < 0) {
        return say(err, size, "%s cannot be read: %s", path, strerror(errno));
    }
    rv = check_file(fd, path, err, size);
    while (rv == APR_SUCCESS && *plen < FILE_BYTES) {
        got = read(fd, text + *plen, FILE_BYTES - *plen);
        if (got <= 0) break;
        *plen += (size_t)got;
    }
    close(fd);
    if (rv != APR_SUCCESS) return rv;
    if (got < 0 || *plen == FILE_BYTES) {
        return say(err, size, "%s cannot be read, or holds more than %d keys",
                   path, BL_KEYRING_KEYS);
    }
    return APR_SUCCESS;
}

/* "<id> <64 hex digits>". 0 when it is anything else. */
static int parse_line(const char *line, size_t len, bl_master_key_t *key)
{
    char copy[LINE_BYTES], *end;
    unsigned long id;
    int ok;

    if (len >= sizeof(copy)) return 0;
    memcpy(copy, line, len);
    copy[len] = '\0';
    errno = 0;
    id = strtoul(copy, &end, 10);
    ok = copy[0] >= '1' && copy[0] <= '9' && errno == 0 && id <= 0xffffffffu &&
         *end == ' ' && bl_unhex(key->key, sizeof(key->key), end + 1);
    key->id = (apr_uint32_t)id;
    bl_secret_wipe(copy, sizeof(copy));
    return ok;
}

static apr_status_t add_key(bl_keyring_file_t *f, const char *line, size_t len,
                            const char *path, int line_no, char *err,
                            size_t size)
{
    bl_master_key_t *key;
    int i;

    if (f->count == BL_KEYRING_KEYS) {
        return say(err, size, "%s holds more than %d keys", path,
                   BL_KEYRING_KEYS);
    }
    key = &f->keys[f->count];
    if (!parse_line(line, len, key)) {
        return say(err, size,
                   "%s, line %d: must be \"<key id> <64 hex digits>\"", path,
                   line_no);
    }
    for (i = 0; i < f->count; i++) {
        if (f->keys[i].id != key->id) continue;
        return say(err, size, "%s, line %d: key id %u is there twice", path,
                   line_no, (unsigned)key->id);
    }
    f->count++;
    return APR_SUCCESS;
}

static apr_status_t parse(bl_keyring_file_t *f, const char *text, size_t len,
                          const char *path, char *err, size_t size)
{
    const char *at = text, *end = text + len;
    apr_status_t rv = APR_SUCCESS;
    int line_no = 0;

    memset(f, 0, sizeof(*f));
    while (rv == APR_SUCCESS && at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((lf ? lf : end) - at);

        line_no++;
        if (n && at[n - 1] == '\r') n--;
        if (n && at[0] != '#') {
            rv = add_key(f, at, n, path, line_no, err, size);
        }
        at = lf ? lf + 1 : end;
    }
    if (rv == APR_SUCCESS && f->count == 0) {
        return say(err, size, "%s holds no key", path);
    }
    return rv;
}

apr_status_t bl_keyring_file_read(bl_keyring_file_t *f, const char *path,
                                  char *err, size_t err_size)
{
    char text[FILE_BYTES];
    size_t len;
    apr_status_t rv = slurp(path, text, &len, err, err_size);

    if (rv == APR_SUCCESS) rv = parse(f, text, len, path, err, err_size);
    bl_secret_wipe(text, sizeof(text));
    return rv;
}

/* --- writing ------------------------------------------------------------ */

static int write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        text += n;
        len -= (size_t)n;
    }
    return 1;
}

/* The entry of the file in its directory is on the disk as well. */
static void sync_directory(const char *path)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int fd, n = slash ? (int)(slash - path) : 0;

    if (slash) {
        snprintf(dir, sizeof(dir), "%.*s", n ? n : 1, path);
    }
    else {
        snprintf(dir, sizeof(dir), ".");
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

static apr_status_t new_line(char line[LINE_BYTES], char *err, size_t size)
{
    unsigned char bytes[4 + BL_AEAD_KEY_BYTES];
    char hex[2 * BL_AEAD_KEY_BYTES + 1];
    apr_uint32_t id;

    do {
        if (bl_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS) {
            return say(err, size, "the random source of the system failed");
        }
        memcpy(&id, bytes, 4);
        id &= 0x7fffffff; /* reads well in every language */
    } while (!id);
    bl_hex(hex, bytes + 4, BL_AEAD_KEY_BYTES);
    snprintf(line, LINE_BYTES, "%u %s\n", (unsigned)id, hex);
    bl_secret_wipe(bytes, sizeof(bytes));
    bl_secret_wipe(hex, sizeof(hex));
    return APR_SUCCESS;
}

/* Writes a new file of mode 0400; removes it again when that fails. */
static apr_status_t write_new(const char *path, const char *old, size_t old_len,
                              char *err, size_t size)
{
    char line[LINE_BYTES];
    apr_status_t rv = new_line(line, err, size);
    int fd, ok;

    if (rv != APR_SUCCESS) return rv;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0) {
        int code = errno;

        bl_secret_wipe(line, sizeof(line));
        say(err, size, "%s cannot be made: %s", path, strerror(code));
        return code == EEXIST ? APR_EEXIST : BL_E_KEYRING_MISSING;
    }
    ok = write_all(fd, old, old_len) &&
         (!old_len || old[old_len - 1] == '\n' || write_all(fd, "\n", 1)) &&
         write_all(fd, line, strlen(line)) && fsync(fd) == 0;
    close(fd);
    bl_secret_wipe(line, sizeof(line));
    if (ok) return APR_SUCCESS;
    unlink(path);
    return say(err, size, "%s cannot be written: %s", path, strerror(errno));
}

apr_status_t bl_keyring_file_create(const char *path, char *err,
                                    size_t err_size)
{
    apr_status_t rv = write_new(path, "", 0, err, err_size);

    if (rv == APR_SUCCESS) sync_directory(path);
    return rv;
}

apr_status_t bl_keyring_file_add(const char *path, char *err, size_t err_size)
{
    char text[FILE_BYTES], next[PATH_BYTES];
    bl_keyring_file_t f;
    size_t len = 0;
    apr_status_t rv = slurp(path, text, &len, err, err_size);

    if (rv == APR_SUCCESS) rv = parse(&f, text, len, path, err, err_size);
    if (rv == APR_SUCCESS && f.count == BL_KEYRING_KEYS) {
        rv = say(err, err_size, "%s is full: remove keys no row uses", path);
    }
    snprintf(next, sizeof(next), "%s.new", path);
    /* Left by a rotation that was killed: nothing was ever sealed with it. */
    if (rv == APR_SUCCESS) unlink(next);
    if (rv == APR_SUCCESS) rv = write_new(next, text, len, err, err_size);
    if (rv == APR_SUCCESS && rename(next, path) != 0) {
        rv = say(err, err_size, "%s cannot be replaced: %s", path,
                 strerror(errno));
        unlink(next);
    }
    if (rv == APR_SUCCESS) sync_directory(path);
    bl_secret_wipe(text, sizeof(text));
    bl_secret_wipe(&f, sizeof(f));
    return rv;
}
