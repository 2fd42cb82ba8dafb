/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keyring.h"

#include "base/errors.h"
#include "base/secret.h"
#include "crypto/aead.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crypto/keyring_file.h"
#include "crypto/token.h"

#define FORMAT 1
#define COMMON_PURPOSE "api_key"
#define HEAD_BYTES (1 + 4 + BL_AEAD_NONCE_BYTES)
#define AD_BYTES 256
#define CLEAR_MAX (64 * 1024)

/* Lies in pages of its own: locked, and left out of core dumps. */
struct bl_keyring_t {
    bl_keyring_file_t file;
    /* The derived keys of the one purpose that every attempt asks for. */
    unsigned char derived[BL_KEYRING_KEYS][BL_AEAD_KEY_BYTES];
    apr_uint64_t sealings; /* atomic; by the newest key in this process */
};

static size_t whole_pages(void)
{
    return (sizeof(bl_keyring_t) + 4095) & ~(size_t)4095;
}

static bl_keyring_t *keyring_memory(void)
{
    void *p = mmap(NULL, whole_pages(), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) return NULL;
    /* Both are best effort: a small RLIMIT_MEMLOCK must not stop the server,
     * and the pages are wiped in any case. */
    (void)mlock(p, whole_pages());
    (void)madvise(p, whole_pages(), MADV_DONTDUMP);
    return p;
}

static apr_status_t derive_common(bl_keyring_t *k)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < k->file.count && rv == APR_SUCCESS; i++) {
        rv = bl_hkdf(k->file.keys[i].key, COMMON_PURPOSE, k->derived[i]);
    }
    return rv;
}

static apr_status_t derive(const bl_keyring_t *k, const bl_master_key_t *master,
                           const char *purpose, unsigned char *key)
{
    if (strcmp(purpose, COMMON_PURPOSE)) {
        return bl_hkdf(master->key, purpose, key);
    }
    memcpy(key, k->derived[master - k->file.keys], BL_AEAD_KEY_BYTES);
    return APR_SUCCESS;
}

apr_status_t bl_keyring_load(bl_keyring_t **pk, const char *path, char *err,
                             size_t err_size)
{
    bl_keyring_t *k = keyring_memory();
    apr_status_t rv;

    *pk = NULL;
    if (!k) return APR_ENOMEM;
    rv = bl_keyring_file_read(&k->file, path, err, err_size);
    if (rv == APR_SUCCESS) rv = derive_common(k);
    if (rv != APR_SUCCESS) {
        bl_keyring_close(k);
        return rv;
    }
    *pk = k;
    return APR_SUCCESS;
}

void bl_keyring_close(bl_keyring_t *k)
{
    if (!k) return;
    bl_secret_wipe(k, sizeof(*k));
    munmap(k, whole_pages());
}

apr_uint32_t bl_keyring_newest(const bl_keyring_t *k)
{
    return k->file.keys[k->file.count - 1].id;
}

static const bl_master_key_t *find_key(const bl_keyring_t *k, apr_uint32_t id)
{
    int i;

    for (i = 0; i < k->file.count; i++) {
        if (k->file.keys[i].id == id) return &k->file.keys[i];
    }
    return NULL;
}

int bl_keyring_has(const bl_keyring_t *k, apr_uint32_t key_id)
{
    return find_key(k, key_id) != NULL;
}

static unsigned char *put_be(unsigned char *at, apr_uint64_t n, int bytes)
{
    while (bytes--)
        *at++ = (unsigned char)(n >> (8 * bytes));
    return at;
}

static unsigned char *put_text(unsigned char *at, const char *s, size_t len)
{
    at = put_be(at, len, 2);
    memcpy(at, s, len);
    return at + len;
}

/* Associated data: every field has a fixed size or its length in front, so
 * that no two rows have the same bytes. 0 when a name is too long. */
static size_t bind_row(unsigned char ad[AD_BYTES], const bl_seal_for_t *f,
                       apr_uint32_t key_id)
{
    size_t purpose_len = strlen(f->purpose), table_len = strlen(f->table);
    unsigned char *at = ad;

    if (purpose_len > 64 || table_len > 64) return 0;
    at = put_be(at, FORMAT, 1);
    at = put_be(at, key_id, 4);
    at = put_text(at, f->purpose, purpose_len);
    at = put_text(at, f->table, table_len);
    at = put_be(at, (apr_uint64_t)f->row_id, 8);
    at = put_be(at, (apr_uint64_t)f->version, 8);
    return (size_t)(at - ad);
}

apr_uint32_t bl_keyring_id_of(const unsigned char *sealed, size_t len)
{
    if (len < HEAD_BYTES + BL_AEAD_TAG_BYTES || sealed[0] != FORMAT) return 0;
    return (apr_uint32_t)sealed[1] << 24 | (apr_uint32_t)sealed[2] << 16 |
           (apr_uint32_t)sealed[3] << 8 | sealed[4];
}

apr_status_t bl_keyring_seal(bl_keyring_t *k, const bl_seal_for_t *f,
                             const void *clear, size_t clear_len,
                             unsigned char **psealed, size_t *plen)
{
    const bl_master_key_t *master = &k->file.keys[k->file.count - 1];
    unsigned char key[BL_AEAD_KEY_BYTES], ad[AD_BYTES], *blob;
    size_t ad_len = bind_row(ad, f, master->id);
    size_t len = HEAD_BYTES + clear_len + BL_AEAD_TAG_BYTES;
    apr_status_t rv;

    *psealed = NULL;
    *plen = 0;
    if (!ad_len || clear_len > CLEAR_MAX) return BL_E_BAD_VALUE;
    if (__atomic_add_fetch(&k->sealings, 1, __ATOMIC_RELAXED) >
        BL_KEYRING_SEALINGS) {
        return BL_E_KEYRING_MISSING;
    }
    blob = malloc(len);
    if (!blob) return APR_ENOMEM;
    put_be(put_be(blob, FORMAT, 1), master->id, 4);
    rv = bl_random_bytes(blob + 5, BL_AEAD_NONCE_BYTES);
    if (rv == APR_SUCCESS) rv = derive(k, master, f->purpose, key);
    if (rv == APR_SUCCESS) {
        rv = bl_aead_seal(key, blob + 5, ad, ad_len, clear, clear_len,
                          blob + HEAD_BYTES, blob + HEAD_BYTES + clear_len);
    }
    bl_secret_wipe(key, sizeof(key));
    if (rv != APR_SUCCESS) {
        free(blob);
        return rv;
    }
    *psealed = blob;
    *plen = len;
    return APR_SUCCESS;
}

/* Whatever is wrong with the blob, the same work is done: a blob that cannot
 * be right is replaced by zeros, an unknown key by the newest one (D14). */
apr_status_t bl_keyring_open(const bl_keyring_t *k, const bl_seal_for_t *f,
                             const unsigned char *sealed, size_t sealed_len,
                             unsigned char **pclear, size_t *plen)
{
    static const unsigned char nothing[HEAD_BYTES + BL_AEAD_TAG_BYTES];
    unsigned char key[BL_AEAD_KEY_BYTES], ad[AD_BYTES], *clear;
    apr_uint32_t id = bl_keyring_id_of(sealed, sealed_len);
    const bl_master_key_t *master = find_key(k, id);
    size_t ad_len = bind_row(ad, f, id), len;
    int may_open = ad_len && id && master;
    apr_status_t rv;

    *pclear = NULL;
    *plen = 0;
    may_open =
        may_open && sealed_len <= HEAD_BYTES + CLEAR_MAX + BL_AEAD_TAG_BYTES;
    if (!id || sealed_len > HEAD_BYTES + CLEAR_MAX + BL_AEAD_TAG_BYTES) {
        sealed = nothing;
        sealed_len = sizeof(nothing);
    }
    if (!master) master = &k->file.keys[k->file.count - 1];
    len = sealed_len - HEAD_BYTES - BL_AEAD_TAG_BYTES;
    clear = malloc(len + 1);
    if (!clear) return APR_ENOMEM;
    rv = derive(k, master, f->purpose, key);
    if (rv == APR_SUCCESS) {
        rv = bl_aead_open(key, sealed + 5, ad, ad_len, sealed + HEAD_BYTES, len,
                          sealed + HEAD_BYTES + len, clear);
    }
    bl_secret_wipe(key, sizeof(key));
    if (rv != APR_SUCCESS || !may_open) {
        bl_secret_wipe(clear, len);
        free(clear);
        return rv == APR_ENOMEM ? rv : BL_E_KEYRING_MISSING;
    }
    clear[len] = '\0';
    *pclear = clear;
    *plen = len;
    return APR_SUCCESS;
}
