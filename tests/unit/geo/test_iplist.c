/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geo/iplist.h"

#include "data.h"

static struct iplist parsed(const char *text)
{
	struct iplist l;
	struct err e = { 0 };

	assert_int_equal(iplist_parse(text, strlen(text), &l, &e), 0);
	return l;
}

static void has(const struct iplist *l, const char *text, bool want)
{
	struct ip_addr a;
	bool found = false;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	for (uint32_t i = 0; i < l->n; i++)
		found = found || ip_range_contains(&l->ranges[i], &a);
	if (found != want)
		fail_msg("%s", text);
}

static void every_form_of_entry_is_read(void **state)
{
	struct iplist l =
		parsed("\xef\xbb\xbf# comment\n; another\n\n192.0.2.1\n198.51.100.0/24 ; SBL1\r\n"
		       "203.0.113.1-203.0.113.9\n203.0.113.20 - 203.0.113.29 # note\n"
		       "2001:db8::/32 \n100.0.0.1\t7\n"
		       "{\"cidr\":\"192.0.2.128/25\",\"sblid\":\"SBL2\"}\n"
		       "{\"type\":\"metadata\",\"records\":1}\n0.0.0.0/8           # \"This\" network\n2001:db9::5");

	assert_int_equal(l.refused, 0);
	assert_int_equal(l.lines, 9);
	has(&l, "192.0.2.1", true);
	has(&l, "192.0.2.2", false);
	has(&l, "198.51.100.255", true);
	has(&l, "203.0.113.9", true);
	has(&l, "203.0.113.10", false);
	has(&l, "203.0.113.25", true);
	has(&l, "2001:db8:ffff::1", true);
	has(&l, "100.0.0.1", true);
	has(&l, "192.0.2.200", true);
	has(&l, "0.1.2.3", true);
	has(&l, "2001:db9::5", true);
	free(l.ranges);
}

static void what_cannot_be_read_is_counted_with_its_line(void **state)
{
	struct iplist l = parsed("192.0.2.1\nads.example\n0.0.0.0 ads.example\n0.0.0.0/0\n::/0\n1.2.3\n"
				 "203.0.113.9-203.0.113.1\n192.0.2.1-2001:db8::1\n{\"asn\":932}\n{\"cidr\":7}\n{\n");

	assert_int_equal(l.lines, 1);
	assert_int_equal(l.refused, 10);
	assert_int_equal(l.refused_lines[0], 2);
	assert_int_equal(l.refused_lines[IPLIST_REFUSED_MAX - 1], 9);
	free(l.ranges);
}

static void a_page_of_html_is_no_empty_list(void **state)
{
	const char *html = "<html><body>404 Not Found</body></html>\n";
	struct err e = { 0 };
	struct iplist l;

	assert_int_equal(iplist_parse(html, strlen(html), &l, &e), -EBADMSG);
	l = parsed("# nothing today\n");
	assert_int_equal(l.n, 0);
	free(l.ranges);
}

static void too_many_lines_are_refused(void **state)
{
	size_t len = IPLIST_LINES_MAX + 1;
	char *text = malloc(len);
	struct err e = { 0 };
	struct iplist l;

	assert_non_null(text);
	memset(text, '\n', len);
	assert_int_equal(iplist_parse(text, len, &l, &e), -E2BIG);
	assert_int_equal(iplist_parse(text, len - 1, &l, &e), 0);
	free(text);
	free(l.ranges);
}

static void bytes_that_are_no_text_do_no_harm(void **state)
{
	char text[300];
	struct iplist l = { 0 };
	struct err e = { 0 };
	uint32_t seed = 1;

	for (int round = 0; round < 2000; round++) {
		static const char likely[] = "0123456789.:/-#;{}\"cidr \t\n";

		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1664525u + 1013904223u;
			text[i] = seed >> 31 ? likely[(seed >> 8) % (sizeof(likely) - 1)] : (char)(seed >> 16);
		}
		if (iplist_parse(text, sizeof(text), &l, &e) == 0)
			free(l.ranges);
	}
}

/* File, entries (all of them read, none refused), ranges, touching ones joined, where known. */
static void lists_of_the_outside_world_are_read_whole(void **state)
{
	static const struct {
		const char *file;
		uint32_t lines, ranges;
	} lists[] = {
		{ "ipsum-level2.txt.gz", 30773, 0 },
		{ "ipsum-scored.tsv.gz", 120430, 0 },
		{ "spamhaus-drop-2024.txt", 989, 0 },
		{ "spamhaus-edrop-2024.txt", 322, 0 },
		{ "spamhaus-dropv6-2024.txt", 51, 0 },
		{ "spamhaus-drop-2026.ipv4.txt", 1599, 0 },
		{ "spamhaus-drop-v4-2026.jsonl.gz", 0, 0 },
		{ "aws-2026.ipv4.txt.gz", 10668, 933 },
		{ "bogons-2026.txt", 16, 0 },
		{ "cloudflare-2026.ipv6.txt", 7, 0 },
		{ "public-dns-resolvers-v4-2024.txt.gz", 62745, 0 },
	};
	char name[256], path[512];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct err e = { 0 };
		struct iplist l;
		size_t len;
		char *text;

		(void)snprintf(name, sizeof(name), "ipsets/%s", lists[i].file);
		if (shared(name, path) == NULL)
			skip();
		text = slurp(unpacked(path), &len);
		assert_int_equal(iplist_parse(text, len, &l, &e), 0);
		print_message("%s: %u lines, %u ranges\n", lists[i].file, l.lines, l.n);
		assert_int_equal(l.refused, 0);
		if (lists[i].lines != 0)
			assert_int_equal(l.lines, lists[i].lines);
		if (lists[i].ranges != 0)
			assert_int_equal(l.n, lists[i].ranges);
		free(l.ranges);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_entry_is_read),
		cmocka_unit_test(what_cannot_be_read_is_counted_with_its_line),
		cmocka_unit_test(a_page_of_html_is_no_empty_list),
		cmocka_unit_test(too_many_lines_are_refused),
		cmocka_unit_test(bytes_that_are_no_text_do_no_harm),
		cmocka_unit_test(lists_of_the_outside_world_are_read_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
