/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trust anchors: what of a file is trusted, what is refused, and from which file dnsd begins. */
#include "dnsd/anchors.h"
#include "dnsd/roots.h"
#include "dnsd/text_file.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY_1                                                                                                          \
	". 172800 IN DNSKEY 257 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGA" \
	"a2XhSA=="
#define KEY_2                                                                                                          \
	". 172800 IN DNSKEY 257 3 13 FgBIARqqBvh0N5lvg+rJZGInWM+t1Sw6pwsXmm6Z8/tYC/gHIHhdKPet76EmOAlIwTMA47jYsURNvQPV" \
	"dUHtBA=="
#define DS_1_DATA " 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define DS_1	  ". IN DS" DS_1_DATA

static int read_text(const char *text, struct anchors *a, struct err *e)
{
	return anchors_read("root.key", text, strlen(text), a, e);
}

static void records_are_trusted_whatever_their_order_and_ttl(void **state)
{
	struct anchors a = { 0 }, b = { 0 };
	struct err e;

	assert_int_equal(read_text("; a comment\n" DS_1 "\n\n" KEY_1 " ; keytag 1\n", &a, &e), 0);
	assert_int_equal(read_text(KEY_1 "\n. 5 IN DS" DS_1_DATA, &b, &e), 0);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.text, b.text);
	anchors_done(&a);
	anchors_done(&b);
}

static void a_key_that_is_watched_is_not_trusted(void **state)
{
	struct anchors a = { 0 };
	struct err e;

	assert_int_equal(
		read_text("; autotrust trust anchor file\n;;id: . 1\n;;last_queried: 1000 ;;x\n"
			  ";;last_success: 1001 ;;x\n;;next_probe_time: 2000 ;;x\n" KEY_1
			  " ;{id = 1 (ksk), size = 256b} ;;state=2 [  VALID  ] ;;count=0 ;;lastchange=1 ;;x\n" KEY_2
			  " ;{id = 2 (ksk), size = 256b} ;;state=1 [ ADDPEND ] ;;count=3 ;;lastchange=1 ;;x\n",
			  &a, &e),
		0);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.n_pending, 1);
	assert_int_equal(a.last_success_s, 1001);
	assert_int_equal(a.next_probe_s, 2000);
	assert_null(strstr(a.text, "FgBIARqq"));
	anchors_done(&a);
	/* RFC 5011 4.2: one that is missing is trusted still; revoked and removed ones are not. */
	assert_int_equal(read_text(KEY_1 " ;;state=3 [ MISSING ]\n" KEY_2 " ;;state=4 [ REVOKED ]\n", &a, &e), 0);
	assert_int_equal(a.n, 1);
	assert_non_null(strstr(a.text, "oJMRESz5"));
	anchors_done(&a);
}

static void what_is_no_anchor_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "no key that is trusted" },
		{ "; nothing\n", "no key that is trusted" },
		{ KEY_1 "\ngarbage\n", "root.key:2: " },
		{ KEY_1 "\nexample. IN DS 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n",
		  "root.key:2: a record of another zone" },
		{ ". IN A 192.0.2.1\n", "root.key:1: neither DS nor DNSKEY" },
		{ KEY_1 " ;;state=9 [ x ]\n", "RFC 5011 does not know" },
		{ KEY_1 " ;;state=1 [ ADDPEND ]\n", "no key that is trusted" },
		{ ";;REVOKED\n" KEY_1 "\n", "revoked all of its keys" },
		{ ". 5 IN DNSKEY 385 3 13 "
		  "oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGA"
		  "a2XhSA==\n",
		  "a key that was revoked" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct anchors a = { 0 };
		struct err e = { 0 };

		assert_int_equal(read_text(cases[i].text, &a, &e), -EBADMSG);
		assert_non_null(strstr(e.msg, cases[i].says));
		assert_null(a.text);
	}
}

/* A folder with a given anchor and a state folder. */
struct host {
	char dir[32], given[64], state[64], kept[80];
};

static void put(const char *path, const char *text)
{
	struct text_file t = { .buf = (char *)(uintptr_t)text, .len = strlen(text) };
	struct err e;

	assert_int_equal(text_file_write(path, &t, &e), 0);
}

static void host_make(struct host *h)
{
	snprintf(h->dir, sizeof(h->dir), "/tmp/sluice-roots-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->given, sizeof(h->given), "%s/root.key", h->dir);
	snprintf(h->state, sizeof(h->state), "%s/state", h->dir);
	snprintf(h->kept, sizeof(h->kept), "%s/root.key", h->state);
	assert_int_equal(mkdir(h->state, 0700), 0);
	put(h->given, KEY_1 "\n");
}

static void host_remove(struct host *h)
{
	char path[128];

	(void)unlink(h->kept);
	snprintf(path, sizeof(path), "%s/root.given", h->state);
	(void)unlink(path);
	(void)unlink(h->given);
	assert_int_equal(rmdir(h->state), 0);
	assert_int_equal(rmdir(h->dir), 0);
}

static struct roots *roots_of(const char *given, const char *hints, const char *state, int want)
{
	cJSON *config = cJSON_CreateObject();
	struct roots *r = NULL;
	struct err e = { 0 };

	if (given != NULL)
		(void)cJSON_AddStringToObject(config, "trustAnchor", given);
	if (hints != NULL)
		(void)cJSON_AddStringToObject(config, "rootHints", hints);
	if (state != NULL)
		(void)cJSON_AddStringToObject(config, "state", state);
	assert_int_equal(roots_new(config, &r, &e), want);
	if (want != 0)
		assert_non_null(strstr(e.msg, "missing"));
	cJSON_Delete(config);
	return r;
}

static void begins_from_the_given_anchor_and_goes_on_by_the_kept_one(void **state)
{
	struct host h;
	struct roots *r;
	struct err e;

	host_make(&h);
	r = roots_of(h.given, NULL, h.state, 0);
	roots_begin(r);
	assert_string_equal(roots_kept_file(r), h.kept);
	assert_non_null(strstr(roots_now(r)->anchors, "oJMRESz5"));
	/* libunbound has learned the second key. */
	put(h.kept, KEY_1 " ;;state=2 [  VALID  ]\n" KEY_2 " ;;state=2 [  VALID  ]\n");
	assert_int_equal(roots_reread(r, &e), 1);
	assert_int_equal(roots_reread(r, &e), 0);
	assert_int_equal(roots_anchors(r)->n, 2);
	roots_free(r);

	r = roots_of(h.given, NULL, h.state, 0);
	assert_int_equal(roots_anchors(r)->n, 1);
	roots_begin(r);
	assert_int_equal(roots_anchors(r)->n, 2);
	roots_free(r);
	host_remove(&h);
}

/* A host on which an anchor is kept already. */
static void host_make_begun(struct host *h)
{
	struct roots *r;

	host_make(h);
	r = roots_of(h->given, NULL, h->state, 0);
	roots_begin(r);
	roots_free(r);
}

static void another_given_anchor_takes_the_place_of_the_kept_one(void **state)
{
	struct host h;
	struct roots *r;

	host_make_begun(&h);
	put(h.given, KEY_2 "\n");
	r = roots_of(h.given, NULL, h.state, 0);
	roots_begin(r);
	assert_null(strstr(roots_now(r)->anchors, "oJMRESz5"));
	assert_non_null(strstr(roots_now(r)->anchors, "FgBIARqq"));
	roots_free(r);
	host_remove(&h);
}

static void a_damaged_file_is_begun_anew(void **state)
{
	struct host h;
	struct roots *r;

	host_make_begun(&h);
	put(h.kept, "\x01\x02\x03");
	r = roots_of(h.given, NULL, h.state, 0);
	roots_begin(r);
	assert_int_equal(roots_anchors(r)->n, 1);
	assert_string_equal(roots_kept_file(r), h.kept);
	roots_free(r);
	host_remove(&h);
}

static void files_that_are_named_must_be_there(void **state)
{
	struct host h;

	host_make(&h);
	(void)roots_of("/nonexistent/missing.key", NULL, h.state, -ENOENT);
	(void)roots_of(h.given, "/nonexistent/missing.hints", h.state, -ENOENT);
	host_remove(&h);
}

static void without_a_place_for_it_the_given_anchor_is_used(void **state)
{
	struct host h;
	struct roots *r;

	host_make(&h);
	r = roots_of(h.given, NULL, "/nonexistent/state", 0);
	roots_begin(r);
	assert_null(roots_kept_file(r));
	assert_int_equal(roots_anchors(r)->n, 1);
	roots_free(r);
	host_remove(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_trusted_whatever_their_order_and_ttl),
		cmocka_unit_test(a_key_that_is_watched_is_not_trusted),
		cmocka_unit_test(what_is_no_anchor_is_refused_with_its_line),
		cmocka_unit_test(begins_from_the_given_anchor_and_goes_on_by_the_kept_one),
		cmocka_unit_test(another_given_anchor_takes_the_place_of_the_kept_one),
		cmocka_unit_test(a_damaged_file_is_begun_anew),
		cmocka_unit_test(files_that_are_named_must_be_there),
		cmocka_unit_test(without_a_place_for_it_the_given_anchor_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
