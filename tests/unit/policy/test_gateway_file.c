/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gateway.hujson: defaults, what is required, what is refused. */
#include "document_case.h"

#define MINIMAL "\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"100.64.0.1/10\"]}"

static void needs_only_a_tunnel_and_fills_in_the_rest(void **state)
{
	struct reading r;
	const struct doc_gateway *g;

	reading_init(&r, "{" MINIMAL "}");
	g = document_gateway(r.mem, r.src, &r.diags);
	assert_non_null(g);
	assert_string_equal(g->tunnel.interface, "wg0");
	assert_false(g->tunnel.existing);
	assert_int_equal(g->tunnel.listen_port, 51820);
	assert_int_equal(g->tunnel.mtu, 1420);
	assert_string_equal(g->tunnel.private_key_file, "wg.key");
	assert_int_equal(g->tunnel.n_addresses, 1);
	assert_int_equal(g->tunnel.addresses[0].len, 10);
	assert_int_equal(g->tunnel.addresses[0].addr.bytes[3], 1);
	assert_int_equal(g->netfilter, NETFILTER_ON);
	assert_true(g->own_table);
	assert_true(g->gate);
	assert_int_equal(g->dns_port, 53);
	assert_int_equal(g->dns_workers, 1);
	assert_int_equal(g->dns_cache_mib, 16);
	assert_true(g->dns_capture);
	assert_int_equal(g->rate_limit.queries, 0);
	assert_int_equal(g->rate_limit.misses, 200);
	assert_int_equal(g->rate_limit.errors, 20);
	assert_null(g->dnstap);
	assert_int_equal(g->n_upstreams, 0);
	assert_false(g->dnssec);
	assert_null(g->root_hints);
	assert_null(g->trust_anchor);
	assert_int_equal(g->anchor_hold_down_s, 30 * 24 * 3600);
	assert_string_equal(g->policy_file, "policy.hujson");
	assert_string_equal(g->devices_file, "devices.hujson");
	assert_string_equal(g->state_dir, "/var/lib/sluice");
	assert_string_equal(g->run_dir, "/run/sluice");
	assert_string_equal(g->dnsd_user, "sluice-dnsd");
	assert_string_equal(g->recorder_user, "sluice-recorder");
	assert_null(g->country_mmdb);
	assert_null(g->asn_mmdb);
	reading_done(&r);
}

static void takes_every_setting_as_written(void **state)
{
	struct reading r;
	const struct doc_gateway *g;

	reading_init(
		&r,
		"{\"tunnel\": {\"interface\": \"tailscale0\", \"existing\": true, \"listenPort\": 0,"
		" \"privateKeyFile\": \"k\", \"addresses\": [\"100.64.0.1/10\", \"fd5a:1:2::1/48\"], \"mtu\": 1280},"
		" \"dns\": {\"port\": 5353, \"workers\": 4, \"cacheMiB\": 256, \"capture\": false,"
		" \"dnssec\": true, \"rootHints\": \"h\", \"trustAnchor\": \"k\", \"trustAnchorHoldDown\": 7,"
		" \"insecure\": [\"corp.example\"],"
		" \"rateLimit\": {\"queries\": 1000, \"misses\": 0}, \"upstreams\": [\"192.0.2.53\"], "
		"\"dnstap\": \"/run/tap.sock\"},"
		" \"netfilter\": {\"mode\": \"nodivert\", \"owner\": false, \"gate\": false},"
		" \"policy\": \"p\", \"devices\": \"d\", \"state\": \"/s\", \"run\": \"/r\","
		" \"users\": {\"dnsd\": \"101\", \"recorder\": \"102\"},"
		" \"geo\": {\"country\": \"c.mmdb\", \"asn\": \"a.mmdb\"}}");
	g = document_gateway(r.mem, r.src, &r.diags);
	assert_non_null(g);
	assert_true(g->tunnel.existing);
	assert_int_equal(g->tunnel.listen_port, 0);
	assert_int_equal(g->tunnel.n_addresses, 2);
	assert_int_equal(g->tunnel.addresses[1].addr.bytes[15], 1);
	assert_int_equal(g->tunnel.mtu, 1280);
	assert_int_equal(g->netfilter, NETFILTER_NODIVERT);
	assert_false(g->own_table);
	assert_false(g->gate);
	assert_int_equal(g->dns_port, 5353);
	assert_int_equal(g->dns_workers, 4);
	assert_int_equal(g->dns_cache_mib, 256);
	assert_false(g->dns_capture);
	assert_true(g->dnssec);
	assert_string_equal(g->root_hints, "h");
	assert_string_equal(g->trust_anchor, "k");
	assert_int_equal(g->anchor_hold_down_s, 7);
	assert_string_equal(g->insecure[0], "corp.example");
	assert_null(g->insecure[1]);
	assert_int_equal(g->rate_limit.queries, 1000);
	assert_int_equal(g->rate_limit.misses, 0);
	assert_int_equal(g->rate_limit.errors, 20);
	assert_string_equal(g->dnstap, "/run/tap.sock");
	assert_int_equal(g->n_upstreams, 1);
	assert_int_equal(g->upstreams[0].kind, UPSTREAM_UDP);
	assert_int_equal(g->upstreams[0].port, 53);
	assert_string_equal(g->dnsd_user, "101");
	assert_string_equal(g->asn_mmdb, "a.mmdb");
	reading_done(&r);
}

static void refuses_what_is_missing_or_wrong(void **state)
{
	static const struct reading_case cases[] = {
		{ "{}", "P1201", NULL },
		{ "[]", "P0101", NULL },
		{ "{" MINIMAL ", \"dns\": {\"rateLimit\": {\"misses\": -1}}}", "P0103", NULL },
		{ "{" MINIMAL ", \"dns\": {\"cacheMiB\": 0}}", "P0103", NULL },
		{ "{" MINIMAL ", \"dns\": {\"rateLimit\": {\"all\": 1}}}", "P0102", NULL },
		{ "{\"tunnel\": {\"addresses\": [\"100.64.0.1/10\"]}}", "P1201", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\"}}", "P1201", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": []}}", "P1201", NULL },
		{ "{\"tunnel\": {\"interface\": \"a-name-of-16-byt\", \"addresses\": [\"10.0.0.1/8\"]}}", "P1202",
		  NULL },
		{ "{\"tunnel\": {\"interface\": \"../x\", \"addresses\": [\"10.0.0.1/8\"]}}", "P1202", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"10.0.0.1/33\"]}}", "P1203", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"ten\"]}}", "P1203", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"10.0.0.1/8\"], \"mtu\": 1279}}", "P0103",
		  NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"10.0.0.1/8\"], \"listenPort\": 0}}", "P0103",
		  NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"10.0.0.1/8\"], \"listenPort\": 65536}}",
		  "P0103", NULL },
		{ "{\"tunnel\": {\"interface\": \"wg0\", \"addresses\": [\"10.0.0.1/8\"], \"port\": 1}}", "P0102",
		  NULL },
		{ "{" MINIMAL ", \"netfilter\": {\"mode\": \"aus\"}}", "P1204", NULL },
		{ "{" MINIMAL ", \"netfilter\": {\"owner\": 1}}", "P0101", NULL },
		{ "{" MINIMAL ", \"netfilter\": {\"divert\": true}}", "P0102", NULL },
		{ "{" MINIMAL ", \"dns\": {\"insecure\": [\"a..b\"]}}", "P1214", NULL },
		{ "{" MINIMAL ", \"dns\": {\"trustAnchorHoldDown\": 0}}", "P0103", NULL },
		{ "{" MINIMAL ", \"dns\": {\"workers\": 0}}", "P0103", NULL },
		{ "{" MINIMAL ", \"dns\": {\"port\": 1.5}}", "P0103", NULL },
		{ "{" MINIMAL ", \"dns\": {\"capture\": \"yes\"}}", "P0101", NULL },
		{ "{" MINIMAL ", \"dns\": {\"dnstap\": true}}", "P0101", NULL },
		{ "{" MINIMAL ", \"dns\": {\"upstreams\": [\"quad9\"]}}", "P0601", NULL },
		{ "{" MINIMAL ", \"polcy\": \"p\"}", "P0102", NULL },
		{ "{" MINIMAL ", \"state\": \"\"}", "P0104", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		reading_expect(&r, document_gateway(r.mem, r.src, &r.diags), &cases[i]);
		reading_done(&r);
	}
}

static void reads_ways_out_and_gives_them_marks(void **state)
{
	struct reading r;
	const struct doc_gateway *g;

	reading_init(&r, "{" MINIMAL ", \"egress\": {\"vpn\": {\"interface\": \"wg-out\"}, \"lab\": {\"table\": 51},"
			 " \"corp\": {\"mark\": 768, \"mask\": 3840, \"interface\": \"tun9\"}},"
			 " \"nat\": {\"routed\": [\"2001:db8:51::/64\", \"203.0.113.0/28\"]}}");
	g = document_gateway(r.mem, r.src, &r.diags);
	assert_non_null(g);
	assert_int_equal(g->egress.n, 3);
	assert_ptr_equal(egress_find(&g->egress, "lab"), &g->egress.items[1]);
	assert_null(egress_find(&g->egress, "la"));
	assert_int_equal(g->egress.items[0].kind, EGRESS_INTERFACE);
	assert_string_equal(g->egress.items[0].interface, "wg-out");
	assert_int_equal(g->egress.items[0].mark, 0x01000000);
	assert_int_equal(g->egress.items[1].kind, EGRESS_TABLE);
	assert_int_equal(g->egress.items[1].table, 51);
	assert_int_equal(g->egress.items[1].mark, 0x02000000);
	assert_int_equal(g->egress.items[1].mask, 0xff000000);
	assert_null(g->egress.items[1].interface);
	assert_int_equal(g->egress.items[2].kind, EGRESS_MARK);
	assert_int_equal(g->egress.items[2].mark, 768);
	assert_int_equal(g->egress.items[2].mask, 3840);
	assert_string_equal(g->egress.items[2].interface, "tun9");
	assert_int_equal(g->n_routed, 2);
	assert_int_equal(g->routed[0].len, 64);
	reading_done(&r);
}

static void refuses_ways_that_lead_nowhere(void **state)
{
#define EGRESS(text) "{" MINIMAL ", \"egress\": {" text "}}"
	static const struct reading_case cases[] = {
		{ EGRESS("\"vpn\": {}"), "P1206", NULL },
		{ EGRESS("\"vpn\": {\"table\": 51, \"mark\": 1}"), "P1206", NULL },
		{ EGRESS("\"vpn\": {\"interface\": \"wg0\"}"), "P1206", NULL },
		{ EGRESS("\"vpn\": {\"table\": 51, \"mask\": 1}"), "P1206", NULL },
		{ EGRESS("\"vpn\": {\"table\": 255}"), "P1206", NULL },
		{ EGRESS("\"vpn\": {\"table\": 0}"), "P0103", NULL },
		{ EGRESS("\"vpn\": {\"interface\": \"a/b\"}"), "P1202", NULL },
		{ EGRESS("\"vpn\": {\"interface\": \"v\", \"gateway\": \"10.0.0.1\"}"), "P0102", NULL },
		{ EGRESS("\"v p n\": {\"interface\": \"v\"}"), "P1205", NULL },
		{ EGRESS("\"\": {\"interface\": \"v\"}"), "P1205", NULL },
		{ EGRESS("\"vpn\": \"wg-out\""), "P0101", NULL },
		{ EGRESS("\"vpn\": {\"mark\": 768, \"mask\": 255}"), "P1207", NULL },
		{ EGRESS("\"vpn\": {\"mark\": 768}"), NULL, NULL },
		{ EGRESS("\"vpn\": {\"mark\": 768}, \"lab\": {\"table\": 51}"), "P1207", NULL },
		{ EGRESS("\"vpn\": {\"mark\": 768, \"mask\": 65535}, \"lab\": {\"table\": 51}"), NULL, NULL },
		{ "{" MINIMAL ", \"nat\": {\"routed\": [\"::/0\"]}}", "P1208", NULL },
		{ "{" MINIMAL ", \"nat\": {\"routed\": [\"house\"]}}", "P1208", NULL },
		{ "{" MINIMAL ", \"nat\": {\"ipv6\": \"routed\"}}", "P0102", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		reading_expect(&r, document_gateway(r.mem, r.src, &r.diags), &cases[i]);
		reading_done(&r);
	}
}

static void reads_where_to_listen(void **state)
{
	struct reading r;
	const struct doc_gateway *g;

	reading_init(&r,
		     "{" MINIMAL ", \"dns\": {\"port\": 5353, \"listen\": [\"127.0.0.1\", "
		     "{\"address\": \"::\", \"port\": 53}, "
		     "{\"address\": \"192.168.1.1\", \"tls\": {\"certificate\": \"c\", \"key\": \"k\"}}, "
		     "{\"address\": \"100.64.0.1\", \"port\": 8853, \"tls\": {\"certificate\": \"c\", \"key\": \"k\","
		     " \"name\": \"dns.home.example\"}}, "
		     "{\"address\": \"0.0.0.0\", \"tls\": {\"certificate\": \"c\", \"key\": \"k\"}}]}}");
	g = document_gateway(r.mem, r.src, &r.diags);
	assert_non_null(g);
	assert_int_equal(g->n_listen, 5);
	assert_int_equal(g->listen[0].port, 5353);
	assert_int_equal(g->listen[0].tls, 0);
	assert_int_equal(g->listen[1].port, 53);
	assert_int_equal(g->listen[2].port, 853);
	assert_int_equal(g->listen[2].tls, 1);
	assert_int_equal(g->listen[3].tls, 2);
	assert_int_equal(g->listen[4].tls, 1);
	assert_int_equal(g->n_certs, 2);
	assert_null(g->certs[0].name);
	assert_string_equal(g->certs[1].name, "dns.home.example");
	/* Of the tunnel's addresses, which all addresses hold. */
	assert_int_equal(g->n_tls_ports, 2);
	assert_int_equal(g->tls_ports[0], 8853);
	assert_int_equal(g->tls_ports[1], 853);
	reading_done(&r);
}

static void refuses_to_listen_nowhere(void **state)
{
#define LISTEN(text) "{" MINIMAL ", \"dns\": {\"listen\": [" text "]}}"
#define TLS(text)    LISTEN("{\"address\": \"::\", \"tls\": {" text "}}")
	static const struct reading_case cases[] = {
		{ LISTEN("\"eth0\""), "P1210", NULL },
		{ LISTEN("\"10.0.0.1/8\""), "P1210", NULL },
		{ LISTEN("{\"port\": 53}"), "P1210", NULL },
		{ LISTEN("{\"address\": \"::\", \"port\": 0}"), "P0103", NULL },
		{ LISTEN("{\"address\": \"::\", \"tls\": true}"), "P0101", NULL },
		{ LISTEN("\"::\", {\"address\": \"0::0\", \"port\": 53}"), "P1212", NULL },
		{ TLS("\"key\": \"k\""), "P1211", NULL },
		{ TLS("\"certificate\": \"c\""), "P1211", NULL },
		{ TLS("\"certificate\": \"c\", \"key\": \"k\", \"name\": \"dns\""), "P1211", NULL },
		{ TLS("\"certificate\": \"c\", \"key\": \"k\", \"alpn\": \"h2\""), "P0102", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		reading_expect(&r, document_gateway(r.mem, r.src, &r.diags), &cases[i]);
		reading_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_only_a_tunnel_and_fills_in_the_rest),
		cmocka_unit_test(takes_every_setting_as_written),
		cmocka_unit_test(refuses_what_is_missing_or_wrong),
		cmocka_unit_test(reads_ways_out_and_gives_them_marks),
		cmocka_unit_test(refuses_ways_that_lead_nowhere),
		cmocka_unit_test(reads_where_to_listen),
		cmocka_unit_test(refuses_to_listen_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
