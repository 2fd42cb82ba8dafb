/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "wire/ws_codec.h"

/* What a client sends and what the server made of it. */
typedef struct peer_t {
    bl_ws_t ws;
    bl_buf_t in, out, got; /* got: messages, each in brackets */
    int messages;
} peer_t;

static void on_message(void *ctx, const char *data, size_t len, int is_text)
{
    peer_t *p = ctx;

    p->messages++;
    bl_buf_puts(&p->got, is_text ? "[" : "<");
    bl_buf_append(&p->got, data, len);
    bl_buf_puts(&p->got, is_text ? "]" : ">");
}

static void open_peer(peer_t *p, size_t bytes, int frames)
{
    bl_ws_limits_t limits = {bytes, frames, 10};

    memset(p, 0, sizeof(*p));
    bl_buf_init(&p->in, 4 * 1024 * 1024);
    bl_buf_init(&p->out, 4 * 1024 * 1024);
    bl_buf_init(&p->got, 4 * 1024 * 1024);
    bl_ws_init(&p->ws, &limits, on_message, p);
}

static void close_peer(peer_t *p)
{
    bl_ws_release(&p->ws);
    bl_buf_release(&p->in);
    bl_buf_release(&p->out);
    bl_buf_release(&p->got);
}

/* A masked frame, as a client sends it. first: FIN, reserved bits, opcode. */
static void put(peer_t *p, int first, const char *data, size_t len)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char head[8] = {(unsigned char)first};
    size_t n = 2, i;

    if (len < 126) {
        head[1] = (unsigned char)(0x80 | len);
    }
    else {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        n = 4;
    }
    memcpy(head + n, mask, 4);
    bl_buf_append(&p->in, head, n + 4);
    for (i = 0; i < len; i++) {
        char byte = (char)(data[i] ^ mask[i % 4]);

        bl_buf_append(&p->in, &byte, 1);
    }
}

static void put_text(peer_t *p, int first, const char *text)
{
    put(p, first, text, strlen(text));
}

static void feed(peer_t *p)
{
    bl_ws_feed(&p->ws, p->in.data, p->in.len, 1000, &p->out);
    bl_buf_clear(&p->in);
}

/* The code of the Close frame at the end of out. */
static int closed_with(const peer_t *p)
{
    const unsigned char *at;

    if (p->out.len < 4) return 0;
    at = (const unsigned char *)p->out.data + p->out.len - 4;
    return at[0] == 0x88 && at[1] == 2 ? at[2] << 8 | at[3] : 0;
}

static void assert_refused(peer_t *p, int code)
{
    feed(p);
    assert_int_equal(closed_with(p), code);
    assert_true(bl_ws_is_over(&p->ws));
    close_peer(p);
}

static void test_ws_message_is_read_whole(void **state)
{
    peer_t p;

    (void)state;
    open_peer(&p, 1024, 8);
    put_text(&p, 0x81, "绿茶");
    put(&p, 0x82, "\0\xff", 2);
    put_text(&p, 0x81, "");
    feed(&p);
    assert_int_equal(p.messages, 3);
    assert_memory_equal(p.got.data, "[绿茶]<\0\xff>[]", 14);
    assert_int_equal(p.out.len, 0);
    close_peer(&p);
}

/* Fragments, with a ping between them, cut at every byte: the same. */
static void test_ws_cut_at_every_byte_reads_the_same(void **state)
{
    size_t total, at;
    peer_t p;

    (void)state;
    for (at = 0, total = 1; at < total; at++) {
        open_peer(&p, 1024, 8);
        put(&p, 0x01, "\xe7\xbb", 2); /* a character over three frames */
        put_text(&p, 0x89, "hi");
        put(&p, 0x00, "\xbf\xe8\x8c", 3);
        put(&p, 0x80, "\xb6", 1);
        put_text(&p, 0x81, "!");
        total = p.in.len;
        bl_ws_feed(&p.ws, p.in.data, at, 1000, &p.out);
        bl_ws_feed(&p.ws, p.in.data + at, total - at, 1000, &p.out);
        assert_buf(&p.got, "[绿茶][!]");
        assert_int_equal(p.out.len, 4);
        assert_memory_equal(p.out.data, "\x8a\x02hi", 4);
        assert_null(p.ws.frames); /* nothing is held between frames */
        close_peer(&p);
    }
}

static void test_ws_byte_by_byte_reads_the_same(void **state)
{
    size_t i;
    peer_t p;

    (void)state;
    open_peer(&p, 1024, 8);
    put_text(&p, 0x81, "one");
    put_text(&p, 0x88, "");
    for (i = 0; i < p.in.len; i++)
        bl_ws_feed(&p.ws, p.in.data + i, 1, 1000, &p.out);
    assert_buf(&p.got, "[one]");
    assert_memory_equal(p.out.data, "\x88\x00", 2); /* no code, none back */
    assert_int_equal(p.ws.got_code, BL_WS_NO_CODE);
    close_peer(&p);
}

/* C19: each of these is refused with the code of RFC 6455. */
static void test_c19_ws_broken_frames_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } rows[] = {
        {"\x81\x02hi", 4, BL_WS_PROTOCOL},       /* not masked */
        {"\xc1\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* reserved bit */
        {"\x91\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* reserved bit */
        {"\x83\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* opcode 3 */
        {"\x8b\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* opcode 11 */
        {"\x09\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* cut control */
        {"\x89\xfe\0\x7e", 4, BL_WS_PROTOCOL},   /* control of 126 */
        {"\x80\x80\0\0\0\0", 6, BL_WS_PROTOCOL}, /* no beginning */
        {"\x81\xfe\0\x05\0\0\0\0hello", 13, BL_WS_PROTOCOL}, /* not minimal */
        {"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, BL_WS_PROTOCOL}, /* 2^63 */
        {"\x88\x81\0\0\0\0\x03", 7, BL_WS_PROTOCOL},         /* close of 1 */
        {"\x88\x82\0\0\0\0\x03\xed", 8, BL_WS_PROTOCOL},     /* 1005 */
        {"\x88\x82\0\0\0\0\x03\xe7", 8, BL_WS_PROTOCOL},     /* 999 */
        {"\x88\x82\0\0\0\0\x0b\xb7", 8, BL_WS_PROTOCOL},     /* 2999 */
        {"\x88\x83\0\0\0\0\x03\xe8\xff", 9, BL_WS_BAD_TEXT}, /* its reason */
        {"\x81\x81\0\0\0\0\xff", 7, BL_WS_BAD_TEXT},         /* never UTF-8 */
        {"\x81\x82\0\0\0\0\xc0\x80", 8, BL_WS_BAD_TEXT},     /* overlong */
        {"\x81\x83\0\0\0\0\xed\xa0\x80", 9, BL_WS_BAD_TEXT}, /* surrogate */
        {"\x81\x82\0\0\0\0\xe7\xbb", 8, BL_WS_BAD_TEXT}, /* cut at its end */
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peer_t p;

        open_peer(&p, 1024, 8);
        put_text(&p, 0x81, "before");
        bl_buf_append(&p.in, rows[i].bytes, rows[i].len);
        put_text(&p, 0x81, "after");
        feed(&p);
        assert_buf(&p.got, "[before]");
        assert_int_equal(closed_with(&p), rows[i].code);
        assert_true(bl_ws_is_over(&p.ws));
        close_peer(&p);
    }
}

static void test_c19_ws_new_message_inside_a_message_is_refused(void **state)
{
    peer_t p;

    (void)state;
    open_peer(&p, 1024, 8);
    put_text(&p, 0x01, "a");
    put_text(&p, 0x81, "b");
    assert_refused(&p, BL_WS_PROTOCOL);
}

/* Text that cannot become UTF-8 is refused before its frame has ended. */
static void test_c19_ws_bad_text_is_refused_at_once(void **state)
{
    peer_t p;

    (void)state;
    open_peer(&p, 1024, 8);
    put_text(&p, 0x01, "ok");
    bl_buf_append(&p.in, "\x00\xfe\x01\x00\0\0\0\0\xf5", 9); /* 256 to come */
    assert_refused(&p, BL_WS_BAD_TEXT);
}

/* 1.4: the message limit, one below, at it and one above. */
static void test_c20_ws_message_limit(void **state)
{
    char text[130];
    int len;

    (void)state;
    memset(text, 'x', sizeof(text));
    for (len = 127; len <= 129; len++) {
        peer_t p;

        open_peer(&p, 128, 8);
        put(&p, 0x01, text, 64);
        put(&p, 0x80, text, (size_t)len - 64);
        feed(&p);
        assert_int_equal(closed_with(&p), len > 128 ? BL_WS_TOO_BIG : 0);
        assert_int_equal(p.messages, len <= 128);
        close_peer(&p);
    }
}

static void test_c20_ws_frame_limit(void **state)
{
    int most, i;

    (void)state;
    for (most = 7; most <= 9; most++) {
        peer_t p;

        open_peer(&p, 128, 8);
        put_text(&p, 0x01, "");
        for (i = 2; i < most; i++)
            put_text(&p, 0x00, "");
        put_text(&p, 0x80, "");
        feed(&p);
        assert_int_equal(closed_with(&p), most > 8 ? BL_WS_TOO_BIG : 0);
        close_peer(&p);
    }
}

static void test_c20_ws_control_frames_of_a_second(void **state)
{
    peer_t p;
    int i;

    (void)state;
    open_peer(&p, 128, 8);
    for (i = 0; i < 10; i++)
        put_text(&p, 0x89 + i % 2, "x");
    feed(&p);
    /* Several pings: one pong, for the last. */
    assert_int_equal(p.out.len, 3);
    assert_memory_equal(p.out.data, "\x8a\x01x", 3);
    for (i = 0; i < 10; i++)
        put_text(&p, 0x89, "y");
    bl_ws_feed(&p.ws, p.in.data, p.in.len, 2000, &p.out);
    assert_int_equal(closed_with(&p), 0);
    bl_buf_clear(&p.in);
    put_text(&p, 0x89, "z");
    bl_ws_feed(&p.ws, p.in.data, p.in.len, 2999, &p.out);
    assert_int_equal(closed_with(&p), BL_WS_POLICY);
    close_peer(&p);
}

static void test_ws_close_is_answered_with_its_code(void **state)
{
    peer_t p;

    (void)state;
    open_peer(&p, 128, 8);
    put(&p, 0x88,
        "\x03\xe9"
        "bye",
        5);
    feed(&p);
    assert_int_equal(p.ws.got_code, 1001);
    assert_int_equal(closed_with(&p), 1001);
    assert_true(bl_ws_is_over(&p.ws));
    close_peer(&p);
}

/* After our own Close the peer's messages do not count, its Close does. */
static void test_ws_own_close_waits_for_the_peers(void **state)
{
    peer_t p;

    (void)state;
    open_peer(&p, 128, 8);
    bl_ws_close(&p.ws, &p.out, BL_WS_RESTART, NULL);
    bl_ws_close(&p.ws, &p.out, BL_WS_NORMAL, NULL);
    assert_int_equal(closed_with(&p), BL_WS_RESTART);
    assert_int_equal(p.out.len, 4);
    put_text(&p, 0x81, "late");
    feed(&p);
    assert_false(bl_ws_is_over(&p.ws));
    put(&p, 0x88, "\x03\xf4", 2);
    feed(&p);
    assert_true(bl_ws_is_over(&p.ws));
    assert_int_equal(p.messages, 0);
    assert_int_equal(p.out.len, 4);
    close_peer(&p);
}

static void test_ws_frames_out_have_the_shortest_length(void **state)
{
    static const struct {
        size_t len, head;
        const char *bytes;
    } rows[] = {{0, 2, "\x81\x00"},
                {125, 2, "\x81\x7d"},
                {126, 4, "\x81\x7e\x00\x7e"},
                {65535, 4, "\x81\x7e\xff\xff"},
                {65536, 10, "\x81\x7f\0\0\0\0\0\1\0\0"}};
    char *text = calloc(1, 65536);
    size_t i;

    (void)state;
    assert_non_null(text);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bl_buf_t out;

        bl_buf_init(&out, 100000);
        bl_ws_put_text(&out, text, rows[i].len);
        assert_int_equal(out.len, rows[i].head + rows[i].len);
        assert_memory_equal(out.data, rows[i].bytes, rows[i].head);
        bl_buf_release(&out);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_message_is_read_whole),
        cmocka_unit_test(test_ws_cut_at_every_byte_reads_the_same),
        cmocka_unit_test(test_ws_byte_by_byte_reads_the_same),
        cmocka_unit_test(test_c19_ws_broken_frames_are_refused),
        cmocka_unit_test(test_c19_ws_new_message_inside_a_message_is_refused),
        cmocka_unit_test(test_c19_ws_bad_text_is_refused_at_once),
        cmocka_unit_test(test_c20_ws_message_limit),
        cmocka_unit_test(test_c20_ws_frame_limit),
        cmocka_unit_test(test_c20_ws_control_frames_of_a_second),
        cmocka_unit_test(test_ws_close_is_answered_with_its_code),
        cmocka_unit_test(test_ws_own_close_waits_for_the_peers),
        cmocka_unit_test(test_ws_frames_out_have_the_shortest_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
