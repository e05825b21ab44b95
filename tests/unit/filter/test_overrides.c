/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/view_overrides.c by verdict.c: what is let pass for a while, for whom, and what is personal then. */
#include "filter/listbuild.h"
#include "filter/verdict.h"
#include "sluice/override.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char list[] = "||ads.example^\n||tracker.example^\n192.0.2.7\n";

/* tv and pc have view 0, phone has view 1. */
#define VIEW                                                                                                           \
	"{\"filter\":\"/dns/filters/0\",\"route\":0,\"lists\":[0],\"block\":[\"||own.example^\"],\"allow\":[],"        \
	"\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\",\"grants\":[],"             \
	"\"denies\":[0]}"
#define VIEWS(overrides)                                                                                               \
	"{\"generation\":1,\"lists\":[\"ads\"],\"views\":[" VIEW "," VIEW "],"                                         \
	"\"rules\":[{\"mark\":1,\"pos\":\"/denies/0\",\"line\":5,\"names\":[\"denied.ads.example\"]}],"                \
	"\"clients\":[{\"addr\":\"100.64.0.1\",\"device\":\"tv\",\"view\":0},"                                         \
	"{\"addr\":\"fd00::1\",\"device\":\"tv\",\"view\":0},"                                                         \
	"{\"addr\":\"100.64.0.2\",\"device\":\"pc\",\"view\":0},"                                                      \
	"{\"addr\":\"100.64.0.3\",\"device\":\"phone\",\"view\":1}],"                                                  \
	"\"routes\":[{\"upstreams\":[],\"splits\":[]}],"                                                               \
	"\"records\":[{\"name\":\"nas.ads.example\",\"addr\":\"192.168.1.2\"}],\"rebindAllow\":[],"                    \
	"\"canaries\":true,\"overrides\":[" overrides "]}"
#define ALLOW(id, device, name, below)                                                                                 \
	"{\"id\":" #id ",\"device\":" device ",\"name\":\"" name "\",\"below\":" below ",\"until\":9}"
#define PAUSE(id, device) "{\"id\":" #id ",\"device\":" device ",\"name\":null,\"below\":false,\"until\":9}"
#define TV		  "\"tv\""
#define ALL		  "null"

struct world {
	void *lists;
	struct views *views;
	struct verdict_ask ask;
};

static struct world world_of(const char *json)
{
	struct list_builder *b = list_builder_new();
	struct world w = { 0 };
	struct err e = { 0 };
	size_t len;

	assert_non_null(b);
	assert_int_equal(list_builder_add_text(b, 0, list, strlen(list), NULL, NULL), 0);
	assert_int_equal(list_builder_image(b, &w.lists, &len, NULL), 0);
	list_builder_free(b);
	if (views_new(json, strlen(json), w.lists, len, &w.views, &e) < 0)
		fail_msg("%s", e.msg);
	return w;
}

static void world_done(struct world *w)
{
	views_free(w->views);
	free(w->lists);
}

static struct name_verdict asks(struct world *w, const char *client, const char *text)
{
	struct name_verdict v;
	struct ip_addr addr;
	struct dname name;

	assert_int_equal(ip_addr_parse(client, &addr), 0);
	assert_int_equal(dname_parse(text, strlen(text), &name), 0);
	w->ask = (struct verdict_ask){ .views = w->views, .client = views_client(w->views, &addr), .type = RECORD_A };
	assert_non_null(w->ask.client);
	w->ask.view = &w->views->views[w->ask.client->view];
	verdict_name(&w->ask, &name, &v);
	return v;
}

static void assert_passes(const struct name_verdict *v, const char *pos, uint32_t id, bool personal)
{
	char text[VERDICT_RULE_MAX];

	assert_int_equal(v->verdict, DNS_PASS);
	assert_true(v->by == VERDICT_BY_OVERRIDE);
	assert_true(v->by_exception);
	assert_int_equal(v->personal, personal);
	assert_string_equal(v->list, "override");
	assert_string_equal(verdict_rule(v, text, sizeof(text)), pos);
	assert_int_equal(v->line, id);
}

static void a_name_passes_for_one_device_and_is_personal_for_its_view(void **state)
{
	struct world w = world_of(VIEWS(ALLOW(3, TV, "ads.example", "false")));
	struct name_verdict v = asks(&w, "100.64.0.1", "ads.example");

	assert_passes(&v, "allow 3", 3, true);
	v = asks(&w, "fd00::1", "ads.example");
	assert_passes(&v, "allow 3", 3, true);
	/* Another device of the view: blocked, and nobody else is to be told so from memory. */
	v = asks(&w, "100.64.0.2", "ads.example");
	assert_int_equal(v.verdict, DNS_BLOCK);
	assert_true(v.personal);
	/* What is below it, and other names, are as they were. */
	v = asks(&w, "100.64.0.1", "x.ads.example");
	assert_int_equal(v.verdict, DNS_BLOCK);
	assert_false(v.personal);
	v = asks(&w, "100.64.0.2", "free.example");
	assert_true(v.by == VERDICT_BY_NONE);
	assert_false(v.personal);
	world_done(&w);
}

static void all_devices_share_what_passes_for_all(void **state)
{
	struct world w = world_of(VIEWS(ALLOW(1, TV, "ads.example", "true") "," ALLOW(2, ALL, "ads.example", "true")));
	struct name_verdict v = asks(&w, "100.64.0.1", "x.y.ads.example");

	assert_passes(&v, "allow 2", 2, false);
	v = asks(&w, "100.64.0.2", "ads.example");
	assert_passes(&v, "allow 2", 2, false);
	v = asks(&w, "100.64.0.3", "x.ads.example");
	assert_passes(&v, "allow 2", 2, false);
	v = asks(&w, "100.64.0.3", "tracker.example");
	assert_int_equal(v.verdict, DNS_BLOCK);
	world_done(&w);
}

static void denies_and_records_stand_before_it(void **state)
{
	struct world w = world_of(VIEWS(PAUSE(1, ALL) "," ALLOW(2, ALL, "denied.ads.example", "false")));

	assert_true(asks(&w, "100.64.0.1", "denied.ads.example").by == VERDICT_BY_DENY);
	assert_true(asks(&w, "100.64.0.1", "nas.ads.example").by == VERDICT_BY_RECORDS);
	world_done(&w);
}

static void a_pause_passes_everything_of_one_device_but_canaries(void **state)
{
	struct world w = world_of(VIEWS(PAUSE(4, TV)));
	struct name_verdict v = asks(&w, "100.64.0.1", "own.example");

	assert_passes(&v, "pause 4", 4, true);
	v = asks(&w, "100.64.0.1", "tracker.example");
	assert_passes(&v, "pause 4", 4, true);
	v = asks(&w, "100.64.0.2", "tracker.example");
	assert_int_equal(v.verdict, DNS_BLOCK);
	assert_true(v.personal);
	/* Also of what passes in any case: its answer may lead to what is blocked. */
	assert_true(asks(&w, "100.64.0.2", "free.example").personal);
	/* A view of which nobody is paused is as ever. */
	assert_false(asks(&w, "100.64.0.3", "tracker.example").personal);
	v = asks(&w, "100.64.0.1", "use-application-dns.net");
	assert_true(v.by == VERDICT_BY_CANARY);
	world_done(&w);
}

static void a_canary_passes_when_it_is_named(void **state)
{
	struct world w = world_of(VIEWS(ALLOW(1, ALL, "use-application-dns.net", "false")));
	struct name_verdict v = asks(&w, "100.64.0.1", "use-application-dns.net");

	assert_passes(&v, "allow 1", 1, false);
	world_done(&w);
}

static void its_whole_chain_passes_but_no_deny(void **state)
{
	struct world w = world_of(VIEWS(ALLOW(5, TV, "shop.example", "false")));
	struct name_verdict asked = asks(&w, "100.64.0.1", "shop.example"), v;
	struct dname tracker, denied;
	struct ip_addr listed;

	assert_int_equal(dname_parse("tracker.example", 15, &tracker), 0);
	assert_int_equal(dname_parse("denied.ads.example", 18, &denied), 0);
	assert_int_equal(ip_addr_parse("192.0.2.7", &listed), 0);
	verdict_target(&w.ask, &asked, &tracker, RECORD_CNAME, &v);
	assert_int_equal(v.verdict, DNS_PASS);
	verdict_target(&w.ask, &asked, &denied, RECORD_CNAME, &v);
	assert_int_equal(v.verdict, DNS_BLOCK);
	verdict_addr(&w.ask, &asked, &listed, RECORD_A, &v);
	assert_int_equal(v.verdict, DNS_PASS);
	asked = asks(&w, "100.64.0.2", "shop.example");
	verdict_target(&w.ask, &asked, &tracker, RECORD_CNAME, &v);
	assert_int_equal(v.verdict, DNS_BLOCK);
	world_done(&w);
}

static void a_target_passes_by_its_own_name(void **state)
{
	struct world w = world_of(VIEWS(ALLOW(6, TV, "tracker.example", "false")));
	struct name_verdict asked = asks(&w, "100.64.0.1", "shop.example"), v;
	struct dname tracker;

	assert_int_equal(dname_parse("tracker.example", 15, &tracker), 0);
	assert_false(asked.personal);
	verdict_target(&w.ask, &asked, &tracker, RECORD_CNAME, &v);
	assert_passes(&v, "allow 6", 6, true);
	asked = asks(&w, "100.64.0.2", "shop.example");
	verdict_target(&w.ask, &asked, &tracker, RECORD_CNAME, &v);
	assert_int_equal(v.verdict, DNS_BLOCK);
	assert_true(v.personal);
	world_done(&w);
}

/* Against a walk over all of them. */
static void a_thousand_are_found_as_by_a_walk(void **state)
{
	char *json = NULL, name[64];
	size_t len = 0;
	FILE *out = open_memstream(&json, &len);
	const char *head = VIEWS(PAUSE(1, "\"nobody\""));
	struct world w;

	assert_non_null(out);
	(void)fwrite(head, strlen(head) - 2, 1, out); /* without "]}" */
	for (uint32_t i = 2; i <= OVERRIDES_MAX; i++)
		(void)fprintf(out, ",{\"id\":%u,\"device\":%s,\"name\":\"n%u.%s\",\"below\":%s,\"until\":9}", i,
			      i % 3 == 0 ? TV : ALL, i % 500, i % 2 ? "ads.example" : "x.tracker.example",
			      i % 5 == 0 ? "true" : "false");
	(void)fputs("]}", out);
	assert_int_equal(fclose(out), 0);
	w = world_of(json);
	for (uint32_t i = 0; i < 500; i++) {
		for (uint32_t odd = 0; odd < 2; odd++) {
			for (uint32_t below = 0; below < 2; below++) {
				bool all = false, own = false;

				for (uint32_t k = 2; k <= OVERRIDES_MAX; k++) {
					if (k % 500 != i || k % 2 != odd || (below && k % 5 != 0))
						continue;
					all = all || k % 3 != 0;
					own = own || k % 3 == 0;
				}
				(void)snprintf(name, sizeof(name), "%sn%u.%s", below ? "a.b." : "", i,
					       odd ? "ads.example" : "x.tracker.example");
				assert_int_equal(asks(&w, "100.64.0.1", name).verdict,
						 all || own ? DNS_PASS : DNS_BLOCK);
				assert_int_equal(asks(&w, "100.64.0.2", name).verdict, all ? DNS_PASS : DNS_BLOCK);
				assert_int_equal(asks(&w, "100.64.0.2", name).personal, own && !all);
			}
		}
	}
	world_done(&w);
	free(json);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const wrong[] = {
		VIEWS("{\"id\":1,\"device\":\"tv\",\"name\":\"x\"}"), /* no below */
		VIEWS("{\"device\":\"tv\",\"name\":\"x\",\"below\":true}"),
		VIEWS("{\"id\":1,\"device\":7,\"name\":\"x\",\"below\":true}"),
		VIEWS("{\"id\":1,\"device\":null,\"name\":\"x..y\",\"below\":true}"),
		VIEWS("7"),
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct views *v = NULL;

		assert_int_equal(views_new(wrong[i], strlen(wrong[i]), NULL, 0, &v, NULL), -EBADMSG);
		assert_null(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_passes_for_one_device_and_is_personal_for_its_view),
		cmocka_unit_test(all_devices_share_what_passes_for_all),
		cmocka_unit_test(denies_and_records_stand_before_it),
		cmocka_unit_test(a_pause_passes_everything_of_one_device_but_canaries),
		cmocka_unit_test(a_canary_passes_when_it_is_named),
		cmocka_unit_test(its_whole_chain_passes_but_no_deny),
		cmocka_unit_test(a_target_passes_by_its_own_name),
		cmocka_unit_test(a_thousand_are_found_as_by_a_walk),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
