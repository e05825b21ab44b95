/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/records.c: which names are local, and what is said of them. */
#include "filter/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Devices laptop and TV below home.arpa; the policy has a record of its own for a name like TV's. */
static const char sample[] =
	"{\"generation\": 1, \"lists\": [], \"rules\": [], \"routes\": [{\"upstreams\": [], \"splits\": ["
	"  {\"suffix\": \"corp.example\", \"upstreams\": [{\"kind\": \"udp\", \"addr\": \"10.8.0.53\", \"port\": 53}]},"
	"  {\"suffix\": \"out.example\", \"upstreams\": [{\"kind\": \"udp\", \"addr\": \"10.8.0.53\", \"port\": 53},"
	"    {\"kind\": \"udp\", \"addr\": \"9.9.9.9\", \"port\": 53}]}]}],"
	" \"views\": [{\"filter\": null, \"route\": 0, \"lists\": [], \"block\": [], \"allow\": [], \"blockMode\": "
	"\"null\","
	"  \"resolveFirst\": false, \"flows\": false, \"queries\": \"off\", \"grants\": [], \"denies\": []}],"
	" \"clients\": [{\"addr\": \"100.64.0.2\", \"device\": \"laptop\", \"view\": 0},"
	"  {\"addr\": \"fd00::2\", \"device\": \"laptop\", \"view\": 0},"
	"  {\"addr\": \"100.64.0.9\", \"device\": \"TV\", \"view\": 0},"
	"  {\"addr\": \"127.0.0.1\", \"device\": \"gateway\", \"view\": 0},"
	"  {\"addr\": \"100.64.0.8\", \"device\": \"a..b\", \"view\": 0}],"
	" \"domain\": \"home.arpa\", \"rebindAllow\": [\"plex.direct\"], \"records\": ["
	"  {\"name\": \"nas.home.arpa\", \"addr\": \"192.168.1.20\", \"ttl\": 60},"
	"  {\"name\": \"nas.home.arpa\", \"addr\": \"fd00::20\"},"
	"  {\"name\": \"www.home.arpa\", \"type\": 5, \"data\": \"036e617304686f6d65046172706100\", \"ttl\": 30},"
	"  {\"name\": \"tv.home.arpa\", \"addr\": \"192.168.1.50\"},"
	"  {\"name\": \"lab.home.arpa\", \"below\": true, \"addr\": \"192.168.1.40\"},"
	"  {\"name\": \"git.lab.home.arpa\", \"addr\": \"192.168.1.41\"},"
	"  {\"name\": \"a.deep.lab.home.arpa\", \"addr\": \"192.168.1.42\"},"
	"  {\"name\": \"public.example\", \"addr\": \"203.0.113.9\"},"
	"  {\"name\": \"one.home.arpa\", \"addr\": \"192.168.1.60\"},"
	"  {\"name\": \"two.home.arpa\", \"addr\": \"192.168.1.60\"},"
	"  {\"name\": \"loop.home.arpa\", \"type\": 5, \"data\": \"046c6f6f7004686f6d65046172706100\"},"
	"  {\"name\": \"own.home.arpa\", \"addr\": \"100.64.0.2\"}]}";

static int setup(void **state)
{
	struct views *v = NULL;
	struct err e = { 0 };

	if (views_new(sample, strlen(sample), NULL, 0, &v, &e) != 0)
		fail_msg("%s", e.msg);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	views_free(*state);
	return 0;
}

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

/* The first address of the answer, or "" where there is none, or NULL where the name is not local. */
static const char *address(const struct views *v, const char *text, uint16_t type)
{
	static char buf[IP_TEXT_MAX];
	struct dname name = name_of(text);
	struct local_answer a;

	if (!records_answer(v->records, &name, type, &a))
		return NULL;
	for (uint32_t i = 0; i < a.n; i++)
		if (a.records[i].type == type)
			return ip_addr_print(&a.records[i].addr, buf);
	return "";
}

static void exact_names_win_and_the_closest_encloser_decides(void **state)
{
	const struct views *v = *state;

	assert_string_equal(address(v, "nas.home.arpa", RECORD_A), "192.168.1.20");
	assert_string_equal(address(v, "nas.home.arpa", RECORD_AAAA), "fd00::20");
	assert_string_equal(address(v, "nas.home.arpa", RECORD_TXT), "");
	assert_string_equal(address(v, "x.lab.home.arpa", RECORD_A), "192.168.1.40");
	assert_string_equal(address(v, "x.y.lab.home.arpa", RECORD_A), "192.168.1.40");
	assert_string_equal(address(v, "git.lab.home.arpa", RECORD_A), "192.168.1.41");
	assert_null(address(v, "x.git.lab.home.arpa", RECORD_A));  /* git is its encloser, and has no pattern */
	assert_null(address(v, "x.deep.lab.home.arpa", RECORD_A)); /* so is deep, though it has no records */
	assert_null(address(v, "deep.lab.home.arpa", RECORD_A));
	assert_null(address(v, "lab.home.arpa", RECORD_A));
	assert_null(address(v, "x.nas.home.arpa", RECORD_A));
	assert_null(address(v, "home.arpa", RECORD_A));
	assert_null(address(v, "example.org", RECORD_A));
	assert_null(address(v, ".", RECORD_A));
}

static void names_above_others_exist(void **state)
{
	const struct views *v = *state;
	static const struct {
		const char *name;
		bool exists;
	} rows[] = {
		{ "lab.home.arpa", true },    { "deep.lab.home.arpa", true },	 { "home.arpa", true },
		{ "nas.home.arpa", true },    { "x.lab.home.arpa", true },	 { "nobody.home.arpa", false },
		{ "x.nas.home.arpa", false }, { "x.deep.lab.home.arpa", false }, { "net", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dname n = name_of(rows[i].name);

		if (records_exist(v->records, &n) != rows[i].exists)
			fail_msg("%s", rows[i].name);
	}
}

static void devices_have_names_that_the_policy_does_not_give(void **state)
{
	const struct views *v = *state;

	assert_string_equal(address(v, "laptop.home.arpa", RECORD_A), "100.64.0.2");
	assert_string_equal(address(v, "LAPTOP.home.arpa", RECORD_AAAA), "fd00::2");
	assert_string_equal(address(v, "tv.home.arpa", RECORD_A), "192.168.1.50");
	assert_string_equal(address(v, "tv.home.arpa", RECORD_AAAA), "");
	assert_null(address(v, "gateway.home.arpa", RECORD_A)); /* it would be the asking device itself */
}

static void an_alias_brings_what_it_leads_to(void **state)
{
	const struct views *v = *state;
	struct dname www = name_of("www.home.arpa"), nas = name_of("nas.home.arpa"), loop = name_of("loop.home.arpa");
	struct local_answer a;

	assert_true(records_answer(v->records, &www, RECORD_A, &a));
	assert_int_equal(a.n_aliases, 1);
	assert_true(dname_equal(&a.targets[0], &nas));
	assert_int_equal(a.n, 2);
	assert_int_equal(local_answer_ttl_s(&a, RECORD_A), 30);
	assert_true(records_answer(v->records, &www, RECORD_CNAME, &a));
	assert_int_equal(a.n_aliases, 0);
	assert_int_equal(a.n, 1);
	assert_true(records_answer(v->records, &nas, RECORD_A, &a));
	assert_int_equal(local_answer_ttl_s(&a, RECORD_A), 60);
	assert_true(records_answer(v->records, &loop, RECORD_A, &a)); /* ends */
	assert_int_equal(a.n_aliases, RECORD_ALIASES_MAX);
}

/* Who a reverse name belongs to; NULL: not local. */
static const char *reverse(const struct views *v, const char *text)
{
	static char buf[DNAME_TEXT_MAX];
	struct dname name = name_of(text), target;
	struct local_answer a;
	struct rcur c;

	assert_int_equal(records_local(v->records, &name), records_answer(v->records, &name, RECORD_PTR, &a));
	if (!records_answer(v->records, &name, RECORD_PTR, &a))
		return NULL;
	assert_int_equal(a.n, 1);
	assert_int_equal(a.records->type, RECORD_PTR);
	c = rcur_over(a.records->data, a.records->data_len);
	assert_int_equal(dname_read(&c, a.records->data, a.records->data_len, &target), 0);
	return dname_print(&target, buf);
}

static void addresses_have_names(void **state)
{
	const struct views *v = *state;

	assert_string_equal(reverse(v, "2.0.64.100.in-addr.arpa"), "laptop.home.arpa"); /* and not own.home.arpa */
	assert_string_equal(reverse(v, "9.0.64.100.in-addr.arpa"), "tv.home.arpa");
	assert_string_equal(reverse(v, "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"),
			    "laptop.home.arpa");
	assert_string_equal(reverse(v, "20.1.168.192.in-addr.arpa"), "nas.home.arpa");
	assert_string_equal(reverse(v, "0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"),
			    "nas.home.arpa");
	assert_null(reverse(v, "60.1.168.192.in-addr.arpa")); /* two names */
	assert_null(reverse(v, "40.1.168.192.in-addr.arpa")); /* a pattern's */
	assert_null(reverse(v, "9.113.0.203.in-addr.arpa"));  /* the world's */
	assert_null(reverse(v, "8.0.64.100.in-addr.arpa"));   /* no name */
	assert_null(reverse(v, "7.0.64.100.in-addr.arpa"));
	assert_null(reverse(v, "1.0.0.127.in-addr.arpa"));
	assert_null(reverse(v, "0.64.100.in-addr.arpa"));
	assert_null(reverse(v, "x.2.0.64.100.in-addr.arpa"));
	assert_null(reverse(v, "02.0.64.100.in-addr.arpa"));
	assert_null(reverse(v, "258.0.64.100.in-addr.arpa"));
	assert_null(reverse(v, "2.0.64.100.in-addr.example"));
}

static void private_addresses_come_from_private_upstreams(void **state)
{
	const struct views *v = *state;
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "git.corp.example", true }, { "corp.example", true },	 { "out.example", false },
		{ "example", false },	      { "x.plex.direct", true }, { "plex.direct", true },
		{ "myplex.direct", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dname n = name_of(rows[i].name);

		if (route_private_ok(&v->routes[0], &n) != rows[i].ok)
			fail_msg("%s", rows[i].name);
	}
}

static int with(const char *record, const char *rest)
{
	struct views *v = NULL;
	char json[1024];
	int rc;

	(void)snprintf(
		json, sizeof(json),
		"{\"generation\": 1, \"lists\": [], \"rules\": [], \"routes\": [], \"views\": [], \"clients\": [],"
		" \"records\": [%s]%s}",
		record, rest);
	rc = views_new(json, strlen(json), NULL, 0, &v, NULL);
	views_free(v);
	return rc;
}

static void faulty_records_are_refused(void **state)
{
	(void)state;
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 16, \"data\": \"0161\"}", ""), 0);
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 16, \"data\": \"016\"}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 16, \"data\": \"0G\"}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 70000, \"data\": \"0161\"}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 5, \"data\": \"0161\"}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\", \"type\": 5, \"data\": \"01610000\"}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\", \"addr\": \"1.2.3.4\", \"ttl\": 604801}", ""), -EBADMSG);
	assert_int_equal(with("{\"name\": \"a.b\"}", ""), -EBADMSG);
	assert_int_equal(with("", ", \"domain\": 1"), -EBADMSG);
	assert_int_equal(with("", ", \"rebindAllow\": [1]"), -EBADMSG);
	assert_int_equal(with("", ", \"canaries\": 1"), -EBADMSG);
}

/* Many names, so that the table has collisions and long searches. */
static void ten_thousand_names_are_found(void **state)
{
	struct arena *mem = arena_new(0);
	struct plan_record *records = calloc(10000, sizeof(*records));
	struct record_tree *t;
	char text[64];
	uint32_t n;

	(void)state;
	assert_non_null(mem);
	assert_non_null(records);
	for (uint32_t i = 0; i < 10000; i++) {
		(void)snprintf(text, sizeof(text), "h%u.n%u.home.arpa", i, i % 100);
		records[i] = (struct plan_record){ .name = name_of(text), .type = RECORD_A, .addr.family = IP_V4 };
		memcpy(records[i].addr.bytes, &i, sizeof(i));
	}
	t = record_tree_new(mem, records, 10000);
	assert_non_null(t);
	for (uint32_t i = 0; i < 10000; i++) {
		const struct plan_record *found;
		struct dname name;

		(void)snprintf(text, sizeof(text), "h%u.n%u.home.arpa", i, i % 100);
		name = name_of(text);
		found = records_find(t, &name, &n);
		assert_non_null(found);
		assert_int_equal(n, 1);
		assert_memory_equal(found->addr.bytes, &i, sizeof(i));
		(void)snprintf(text, sizeof(text), "h%u.n%u.home.arpa", i, (i + 1) % 100);
		name = name_of(text);
		assert_null(records_find(t, &name, &n));
	}
	arena_free(mem);
	free(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_names_win_and_the_closest_encloser_decides),
		cmocka_unit_test(names_above_others_exist),
		cmocka_unit_test(devices_have_names_that_the_policy_does_not_give),
		cmocka_unit_test(an_alias_brings_what_it_leads_to),
		cmocka_unit_test(addresses_have_names),
		cmocka_unit_test(private_addresses_come_from_private_upstreams),
		cmocka_unit_test(faulty_records_are_refused),
		cmocka_unit_test(ten_thousand_names_are_found),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
