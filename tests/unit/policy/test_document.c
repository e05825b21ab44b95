/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies as text: what is accepted, and with which code each other form is refused (syntax.md 3.1, design.md 4). */
#include "document_case.h"

/* Names that the cases use. */
#define NAMES                                                                                                          \
	"\"groups\": {\"group:family\": [\"ana@example.com\", \"ben@example.com\"]},"                                  \
	"\"tagOwners\": {\"tag:server\": [\"ana@example.com\"], \"tag:tv\": [], \"tag:web\": [\"tag:server\"]},"       \
	"\"hosts\": {\"nas\": \"192.168.1.20\", \"lan\": \"192.168.1.0/24\"},"
#define GRANT(src, dst, ip) "{" NAMES "\"grants\": [{\"src\": [" src "], \"dst\": [" dst "], \"ip\": [" ip "]}]}"
#define DENY(src, dst, ip)  "{" NAMES "\"denies\": [{\"src\": [" src "], \"dst\": [" dst "], \"ip\": [" ip "]}]}"
#define ACL(src, dst)	    "{" NAMES "\"acls\": [{\"action\": \"accept\", \"src\": [" src "], \"dst\": [" dst "]}]}"
#define ACL_PROTO(proto, dst)                                                                                          \
	"{" NAMES "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"proto\": \"" proto "\", \"dst\": [" dst     \
	"]}]}"
#define TEST(members) "{" NAMES "\"tests\": [{" members "}]}"
#define DNS(members)  "{" NAMES "\"dns\": {" members "}}"

static void run(const struct reading_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		reading_expect(&r, document_policy(r.mem, r.src, &r.diags), &cases[i]);
		reading_done(&r);
	}
}

static void top_level_members(void **state)
{
	static const struct reading_case cases[] = {
		{ "{}", NULL, NULL },
		{ "{\"ACLs\": [], \"GROUPS\": {}}", NULL, NULL },
		{ "{\"ssh\": [], \"sshTests\": [], \"nodeAttrs\": []}", NULL, "P1001" },
		{ "{\"postures\": {}, \"autoApprovers\": {}, \"attrConfig\": {}, \"derpMap\": {}}", NULL, "P1001" },
		{ "{\"disableIPv4\": true, \"RandomizeClientPort\": false, \"OneCGNATRoute\": \"\"}", NULL, "P1001" },
		{ "{\"postures\": {\"posture:x\": []}, \"defaultSrcPosture\": [\"posture:x\"]}", NULL, "P1003" },
		{ "[]", "P0101", NULL },
		{ "{\"acl\": []}", "P0102", NULL },
		{ "{\"acls\": {}}", "P0101", NULL },
		{ "{\"acls\": [], \"ACLs\": []}", "P0010", NULL },
		{ "{\"ssh\": {}}", "P0101", NULL },
		{ "{\"acls\": [\"x\"]}", "P0101", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void definitions(void **state)
{
	static const struct reading_case cases[] = {
		{ "{\"groups\": {\"group:a\": [\" ana@example.com \"], \"group:b@example.com\": []}}", NULL, NULL },
		{ "{\"groups\": {\"family\": []}}", "P0501", NULL },
		{ "{\"groups\": {\"group:\": []}}", "P0502", NULL },
		{ "{\"groups\": {\"group:a\": [\"group:b\"], \"group:b\": []}}", "P0503", NULL },
		{ "{\"groups\": {\"group:a\": [\"ana\"]}}", "P0503", NULL },
		{ "{\"groups\": {\"group:a\": [\"user:*@example.com\"]}}", "P0503", NULL },
		{ "{\"groups\": {\"group:a\": \"ana@example.com\"}}", "P0101", NULL },
		{ "{\"groups\": {\"group:a\": [1]}}", "P0101", NULL },
		{ "{\"groups\": {\"group:a\": [\" \"]}}", "P0104", NULL },
		{ "{\"tagOwners\": {\"tag:a\": [\"autogroup:admin\", \"tag:a\", \"ana@example.com\"]}}", NULL, NULL },
		{ "{\"tagOwners\": {\"tag:1\": []}}", "P0504", NULL },
		{ "{\"tagOwners\": {\"a\": []}}", "P0501", NULL },
		{ "{\"tagOwners\": {\"tag:a\": [\"tag:b\"]}}", "P0202", NULL },
		{ "{\"tagOwners\": {\"tag:a\": [\"group:b\"]}}", "P0201", NULL },
		{ "{\"tagOwners\": {\"tag:a\": [\"nas\"]}}", "P0505", NULL },
		{ "{\"hosts\": {\"nas\": \"10.0.0.0/8\", \"v6\": \"fd00::1\"}}", NULL, NULL },
		{ "{\"hosts\": {\"nas\": \"10.0.0.1/8\"}}", NULL, "P0210" },
		{ "{\"hosts\": {\"a@b\": \"10.0.0.1\"}}", "P0506", NULL },
		{ "{\"hosts\": {\"a:b\": \"10.0.0.1\"}}", "P0506", NULL },
		{ "{\"hosts\": {\"10.0.0.1\": \"10.0.0.2\"}}", "P0506", NULL },
		{ "{\"hosts\": {\"nas\": \"10.0.0\"}}", "P0507", NULL },
		{ "{\"hosts\": {\"nas\": \"nas.example\"}}", "P0507", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void ipsets(void **state)
{
	static const struct reading_case cases[] = {
		{ "{\"hosts\": {\"p\": \"203.0.113.40\"}, \"ipsets\": {\"ipset:saas\": [\"198.51.100.0/25\"],"
		  "\"ipset:out\": [\"add autogroup:internet\", \"remove ipset:saas\", \"remove host:p\","
		  "\"remove 192.0.2.10-192.0.2.19\"]}}",
		  NULL, NULL },
		{ "{\"ipsets\": {\"saas\": []}}", "P0501", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"10.0.0.0/8\", \"remove 10.1.0.0/16\"]}}", "P0510", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"tag:x\"]}}", "P0511", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"autogroup:member\"]}}", "P0511", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"10.0.0.9-10.0.0.1\"]}}", "P0511", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"10.0.0.1-::1\"]}}", "P0511", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"ipset:b\"], \"ipset:b\": [\"ipset:a\"]}}", "P0512", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"ipset:b\"]}}", "P0204", NULL },
		{ "{\"ipsets\": {\"ipset:a\": [\"host:b\"]}}", "P0203", NULL },
		{ "{\"ipsets\": {\"ipset:a\": \"10.0.0.1\"}}", "P0101", NULL },
		{ GRANT("\"*\"", "\"ipset:a\"", "\"*\""), "P0204", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void sources(void **state)
{
	static const struct reading_case cases[] = {
		{ GRANT("\"*\", \"ana@example.com\", \"group:family\", \"tag:server\", \"nas\", \"10.0.0.0/8\"",
			"\"*\"", "\"*\""),
		  NULL, NULL },
		{ GRANT("\"autogroup:member\", \"autogroup:tagged\", \"autogroup:danger-all\"", "\"*\"", "\"*\""), NULL,
		  NULL },
		{ GRANT("\"user:*@example.com\", \" fd00::1 \"", "\"*\"", "\"*\""), NULL, NULL },
		{ GRANT("\"autogroup:shared\", \"autogroup:admin\"", "\"*\"", "\"*\""), NULL, "P1002" },
		{ GRANT("", "", "\"*\""), NULL, NULL },
		{ GRANT("\"group:famliy\"", "\"*\"", "\"*\""), "P0201", NULL },
		{ GRANT("\"tag:serve\"", "\"*\"", "\"*\""), "P0202", NULL },
		{ GRANT("\"nass\"", "\"*\"", "\"*\""), "P0203", NULL },
		{ GRANT("\"autogroup:membr\"", "\"*\"", "\"*\""), "P0205", NULL },
		{ GRANT("\"autogroup:self\"", "\"*\"", "\"*\""), "P0206", NULL },
		{ GRANT("\"autogroup:internet\"", "\"*\"", "\"*\""), "P0206", NULL },
		{ GRANT("\"autogroup:nonroot\"", "\"*\"", "\"*\""), "P0206", NULL },
		{ GRANT("\"svc:x\"", "\"*\"", "\"*\""), "P0206", NULL },
		{ GRANT("\"dns:example.org\"", "\"*\"", "\"*\""), "P0206", NULL },
		{ GRANT("\"user:*@gmail.com\"", "\"*\"", "\"*\""), "P0208", NULL },
		{ GRANT("\"user:ana@example.com\"", "\"*\"", "\"*\""), "P0208", NULL },
		{ GRANT("\"autogroup:member\", \"autogroup:members\"", "\"*\"", "\"*\""), "P0212", NULL },
		{ GRANT("1", "\"*\"", "\"*\""), "P0101", NULL },
		{ GRANT("\"\"", "\"*\"", "\"*\""), "P0104", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void destinations(void **state)
{
	static const struct reading_case cases[] = {
		{ GRANT("\"group:family\"", "\"autogroup:internet\", \"autogroup:self\", \"nas\", \"tag:tv\"", "\"*\""),
		  NULL, NULL },
		{ GRANT("\"*\"", "\"dns:deb.debian.org\", \"dns:*.github.com\", \"dns:_x.example.\"", "\"tcp:443\""),
		  NULL, NULL },
		{ GRANT("\"*\"", "\"svc:web\"", "\"443\""), NULL, "P1002" },
		{ GRANT("\"*\"", "\"10.1.2.3/8\"", "\"443\""), NULL, "P0210" },
		{ GRANT("\"*\"", "\"dns:*\"", "\"443\""), "P0207", NULL },
		{ GRANT("\"*\"", "\"dns:a.*.example\"", "\"443\""), "P0207", NULL },
		{ GRANT("\"*\"",
			"\"dns:b\xc3\xbc"
			"cher.example\"",
			"\"443\""),
		  "P0207", NULL },
		{ GRANT("\"*\"", "\"dns:\"", "\"443\""), "P0207", NULL },
		{ GRANT("\"*\"", "\"0.0.0.0/0\"", "\"443\""), "P0209", NULL },
		{ GRANT("\"*\"", "\"::/0\"", "\"443\""), "P0209", NULL },
		{ GRANT("\"*\"", "\"iplist:drop\"", "\"443\""), "P0216", NULL },
		{ GRANT("\"*\"", "\"autogroup:danger-all\"", "\"443\""), "P0206", NULL },
		{ GRANT("\"*\"", "\"autogroup:shared\"", "\"443\""), "P0206", NULL },
		{ GRANT("\"*\"", "\"autogroup:self\"", "\"*\""), "P0405", NULL },
		{ GRANT("\"tag:tv\"", "\"autogroup:self\"", "\"*\""), "P0405", NULL },
		{ GRANT("\"nas\"", "\"autogroup:self\"", "\"*\""), "P0405", NULL },
		{ GRANT("\"autogroup:tagged\"", "\"autogroup:self\"", "\"*\""), "P0405", NULL },
		{ ACL("\"*\"", "\"autogroup:self:*\""), NULL, NULL },
		{ ACL("\"10.0.0.1\"", "\"autogroup:self:*\""), "P0405", NULL },
		{ ACL("\"*\"",
		      "\"nas:22,80,8000-8100\", \"[2001:db8:7::5]:5432\", \"[fd7a::]/64:443\", \"10.20.0.0/16:*\""),
		  NULL, NULL },
		{ ACL("\"*\"", "\"*\""), "P0308", NULL },
		{ ACL("\"*\"", "\"nas:\""), "P0308", NULL },
		{ ACL("\"*\"", "\"tag:tv\""), "P0308", NULL },
		{ ACL("\"*\"", "\"[fd7a::9]\""), "P0308", NULL },
		{ ACL("\"*\"", "\"fd7a::9:443\""), "P0309", NULL },
		{ ACL("\"*\"", "\"nas:0\""), "P0303", NULL },
		{ ACL("\"*\"", "\"nas:ssh\""), "P0302", NULL },
		{ ACL("\"*\"", "\"nas:65536\""), "P0302", NULL },
		{ ACL("\"*\"", "\"nas:080\""), "P0302", NULL },
		{ ACL("\"*\"", "\"nas:80,\""), "P0302", NULL },
		{ ACL("\"*\"", "\"nas:90-80\""), "P0304", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void protocols_and_services(void **state)
{
	static const struct reading_case cases[] = {
		{ ACL_PROTO("tcp", "\"nas:22\""), NULL, NULL },
		{ ACL_PROTO("47", "\"nas:*\""), NULL, NULL },
		{ ACL_PROTO("ipv6-icmp", "\"nas:*\""), NULL, NULL },
		{ ACL_PROTO("fc", "\"nas:*\""), NULL, NULL },
		{ ACL_PROTO("icmp", "\"nas:22\""), "P0305", NULL },
		{ ACL_PROTO("0", "\"nas:*\""), "P0301", NULL },
		{ ACL_PROTO("06", "\"nas:*\""), "P0301", NULL },
		{ ACL_PROTO("256", "\"nas:*\""), "P0301", NULL },
		{ ACL_PROTO("*", "\"nas:*\""), "P0301", NULL },
		{ ACL_PROTO("tpc", "\"nas:*\""), "P0301", NULL },
		{ GRANT("\"*\"", "\"nas\"",
			"\"*\", \"443\", \"80-443\", \"tcp:443\", \"udp:*\", \"sctp:9000-9010\", \"icmp:*\", \"47:*\""),
		  NULL, NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"*:8096\""), NULL, NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"icmp\""), "P0307", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"tcp\""), "P0307", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"tcp:0\""), "P0303", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"tcp:80:90\""), "P0306", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"80,443\""), "P0302", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"gre:47\""), "P0305", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"xyz:47\""), "P0301", NULL },
		{ GRANT("\"*\"", "\"nas\"", "\"443-80\""), "P0304", NULL },
		{ GRANT("\"*\"", "\"nas\"", "443"), "P0101", NULL },
		{ GRANT("\"*\"", "\"nas\"", ""), "P0404", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void rule_members(void **state)
{
	static const struct reading_case cases[] = {
		{ "{\"acls\": [{\"action\": \"accept\", \"users\": [\"*\"], \"ports\": [\"*:*\"], \"#note\": 1}]}",
		  NULL, NULL },
		{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"users\": [\"*\"], \"dst\": []}]}", "P0402",
		  NULL },
		{ "{\"acls\": [{\"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", "P0403", NULL },
		{ "{\"acls\": [{\"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", "P0403", NULL },
		{ "{\"acls\": [{\"action\": \"Accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", "P0403", NULL },
		{ "{\"acls\": [{\"action\": \"accept\", \"dst\": [\"*:*\"]}]}", "P0401", NULL },
		{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"]}]}", "P0401", NULL },
		{ "{\"acls\": [{\"action\": \"accept\", \"src\": [], \"dst\": [], \"dts\": []}]}", "P0102", NULL },
		{ "{\"postures\": {\"posture:a\": []}, "
		  "\"acls\": [{\"action\": \"accept\", \"src\": [], \"dst\": [], \"srcPosture\": [\"posture:a\"]}]}",
		  NULL, "P1003" },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"app\": {\"example.com/cap/x\": []}}]}", NULL,
		  "P1001" },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"app\": {\"e.com/x\": []}}]}",
		  "P0406", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"app\": {}}]}", "P0404", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"]}]}", "P0404", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"ip\": [\"*\"]}]}", "P0401", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"#x\": 1}]}", "P0102", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"], "
		  "\"via\": [\"tag:x\"]}], \"tagOwners\": {\"tag:x\": []}}",
		  NULL, "P1004" },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"via\": [\"tag:x\"]}]}",
		  "P0202", NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"via\": [\"*\"]}]}", "P0407",
		  NULL },
		{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"whenn\": \"x\"}]}", "P0102",
		  NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"reject\": true}]}", NULL,
		  NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"0.0.0.0/0\"], \"ip\": [\"*\"]}]}", NULL, NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"]}]}", "P0404", NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"when\": \"x\"}]}", "P0102",
		  NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"srcPosture\": []}]}", "P0102",
		  NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"reject\": 1}]}", "P0101",
		  NULL },
		{ DENY("\"autogroup:admin\"", "\"*\"", "\"*\""), "P0211", NULL },
		{ DENY("\"*\"", "\"svc:web\"", "\"*\""), "P0211", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void dns_and_logs(void **state)
{
	static const struct reading_case cases[] = {
		{ DNS("\"upstreams\": [\"recursive\"]"), NULL, NULL },
		{ DNS("\"upstreams\": [\"9.9.9.9\", \"9.9.9.9:5353\", \"[2620:fe::9]:53\", \"2620:fe::9\", "
		      "\"udp://1.1.1.1\"]"),
		  NULL, NULL },
		{ DNS("\"upstreams\": [\"tls://9.9.9.9#dns.quad9.net\", \"tls://[2620:fe::9]:853#dns.quad9.net\"]"),
		  NULL, NULL },
		{ DNS("\"upstreams\": [\"tls://9.9.9.9\"]"), NULL, "P0602" },
		{ DNS("\"upstreams\": [\"9.9.9.9#dns.quad9.net\"]"), "P0601", NULL },
		{ DNS("\"upstreams\": [\"https://9.9.9.9/dns-query\"]"), "P0601", NULL },
		{ DNS("\"upstreams\": [\"9.9.9.9:0\"]"), "P0601", NULL },
		{ DNS("\"upstreams\": [\"[::1\"]"), "P0601", NULL },
		{ DNS("\"upstreams\": [\"dns.quad9.net\"]"), "P0601", NULL },
		{ DNS("\"upstreams\": [\"recursive\", \"9.9.9.9\"]"), "P0603", NULL },
		{ DNS("\"upstreams\": \"9.9.9.9\""), "P0101", NULL },
		{ DNS("\"split\": {\"home.arpa\": [\"192.168.1.53\"]}"), NULL, NULL },
		{ DNS("\"split\": {\"home arpa\": [\"192.168.1.53\"]}"), "P0604", NULL },
		{ DNS("\"split\": {\"home.arpa\": []}"), "P0605", NULL },
		{ DNS("\"records\": {\"nas.home.arpa\": [\"192.168.1.20\", \"fd00::20\"]}"), NULL, NULL },
		{ DNS("\"records\": {\"nas.home.arpa\": [\"nas\"]}"), "P0606", NULL },
		{ DNS("\"lists\": {\"ads\": {\"url\": \"https://example.org/x\"}, \"t\": {\"file\": \"t.txt\"}}"), NULL,
		  NULL },
		{ DNS("\"domain\": \"home.arpa\", \"rebindAllow\": [\"plex.direct\"], \"canaries\": false"), NULL,
		  NULL },
		{ DNS("\"domain\": \"home arpa\""), "P0604", NULL },
		{ DNS("\"rebindAllow\": [\"*\"]"), "P0604", NULL },
		{ DNS("\"canaries\": \"no\""), "P0101", NULL },
		{ DNS("\"records\": {\"a.x\": \"192.0.2.1\", \"b.x\": \"a.x\", \"*.c.x\": \"b.x\", \"d.x\": "
		      "{\"CNAME\": "
		      "\"q.c.x\"}}"),
		  NULL, NULL },
		{ DNS("\"records\": {\"x.x\": {\"addresses\": [\"fd00::1\"], \"ttl\": 60, \"TXT\": [\"a\", \"b\"], "
		      "\"MX\": "
		      "\"10 m.x\", \"SRV\": \"0 0 1 m.x\", \"SSHFP\": \"4 2 00112233\", \"CAA\": \"0 issue "
		      "\\\"le.org\\\"\"}, \"1.0.0.10.in-addr.arpa\": {\"PTR\": \"x.x\"}}"),
		  NULL, NULL },
		{ DNS("\"domain\": \"home.arpa\", \"records\": {\"a.x\": \"tv.home.arpa\"}"), NULL, NULL },
		{ DNS("\"records\": {\"a.x\": \"tv.home.arpa\"}"), "P0615", NULL },
		{ DNS("\"records\": {\"*.x\": \"example.org\"}"), "P0615", NULL },
		{ DNS("\"records\": {\"a.x\": {\"CNAME\": [\"b.x\", \"c.x\"]}}"), "P0614", NULL },
		{ DNS("\"records\": {\"a.x\": {\"CNAME\": \"b.x\", \"TXT\": \"x\"}}"), "P0614", NULL },
		{ DNS("\"records\": {\"a.x\": \"b.x\", \"a.x.\": [\"192.0.2.1\"], \"b.x\": [\"192.0.2.1\"]}"), "P0614",
		  NULL },
		{ DNS("\"records\": {\"a.x\": \"a.x\"}"), "P0616", NULL },
		{ DNS("\"records\": {\"a.x\": \"b.x\", \"b.x\": \"a.x\"}"), "P0616", NULL },
		{ DNS("\"records\": {\"a.x\": \"b c\"}"), "P0604", NULL },
		{ DNS("\"records\": {\"*.*.x\": [\"192.0.2.1\"]}"), "P0604", NULL },
		{ DNS("\"records\": {\"a.x\": 1}"), "P0606", NULL },
		{ DNS("\"records\": {\"a.x\": {\"MX\": \"ten m.x\"}}"), "P0617", NULL },
		{ DNS("\"records\": {\"a.x\": {\"MX\": \"10 m.x\\n. 1 IN A 192.0.2.1\"}}"), "P0617", NULL },
		{ DNS("\"records\": {\"a.x\": {\"SRV\": \"0 0 70000 m.x\"}}"), "P0617", NULL },
		{ DNS("\"records\": {\"a.x\": {\"TXT\": \"a\\nb\"}}"), "P0617", NULL },
		{ DNS("\"records\": {\"a.x\": {\"HTTPS\": \"1 .\"}}"), "P0102", NULL },
		{ DNS("\"records\": {\"a.x\": {\"addresses\": [\"192.0.2.1\"], \"ttl\": 0}}"), "P0103", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"upstreams\": [\"1.1.1.3\"], \"split\": {\"x\": "
		      "[\"10.0.0.1\"]}}]"),
		  NULL, NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"upstreams\": [\"one\"]}]"), "P0601", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"split\": {\"x\": []}}]"), "P0605", NULL },
		{ DNS("\"lists\": {\"a b\": {\"file\": \"t.txt\"}}"), "P0607", NULL },
		{ DNS("\"lists\": {\"ads\": {}}"), "P0608", NULL },
		{ DNS("\"lists\": {\"ads\": {\"url\": \"ftp://x\"}}"), "P0609", NULL },
		{ DNS("\"iplists\": {\"drop\": {\"url\": \"https://example.org/drop\"}}"), NULL, NULL },
		{ DNS("\"lists\": {\"ads\": {\"file\": \"x\"}}, \"filters\": [{\"src\": [\"*\"], \"block\": [\"ads\", "
		      "\"||x.example^\", \"y.example\"],"
		      "\"allow\": [\"||z.example^\"], \"resolveFirst\": true, \"blockMode\": \"nxdomain\"}]"),
		  NULL, NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"safeSearch\": [\"gogle\"]}]"), "P0622", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"safeSearch\": 1}]"), "P0101", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"block\": [\"service:youtub\"]}]"), "P0622", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockMode\": {\"addresses\": []}}]"), "P0626", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockMode\": {\"addresses\": [\"x\"]}}]"), "P0626", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockMode\": {\"addresses\": [\"::1\", \"::2\"]}}]"), "P0626",
		  NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockMode\": \"custom\"}]"), "P0610", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockTtl\": 86401}]"), "P0103", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockReason\": \"law\"}]"), "P0610", NULL },
		{ DNS("\"lists\": {\"a\": {\"file\": \"a\", \"sha256\": \"12\"}}"), "P0623", NULL },
		{ DNS("\"lists\": {\"a\": {\"url\": \"https://a/\", \"refresh\": \"1d\"}}"), "P0624", NULL },
		{ DNS("\"lists\": {\"a\": {\"url\": \"https://a/\", \"refresh\": \"30m\"}}"), "P0624", NULL },
		{ DNS("\"lists\": {\"a\": {\"file\": \"a\", \"refresh\": \"24h\"}}"), NULL, "P0624" },
		{ DNS("\"lists\": {\"safesearch\": {\"file\": \"a\"}}"), "P0607", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"block\": [\"ads\"]}]"), "P0611", NULL },
		{ DNS("\"lists\": {\"ads\": {\"file\": \"x\"}}, \"filters\": [{\"src\": [\"*\"], \"allow\": "
		      "[\"ads\"]}]"),
		  "P0612", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blockMode\": \"zero\"}]"), "P0610", NULL },
		{ DNS("\"filters\": [{\"src\": [\"*\"], \"blocks\": []}]"), "P0102", NULL },
		{ DNS("\"filters\": [{\"block\": []}]"), "P0401", NULL },
		{ DNS("\"filters\": [{\"src\": [\"autogroup:admin\"]}]"), "P0211", NULL },
		{ DNS("\"filter\": []"), "P0102", NULL },
		{ "{\"logs\": [{\"src\": [\"*\"], \"flows\": \"full\", \"queries\": \"pseudonymous\"}]}", NULL, NULL },
		{ "{\"logs\": [{\"src\": [\"*\"], \"flows\": \"all\"}]}", "P0610", NULL },
		{ "{\"logs\": [{\"src\": [\"*\"]}]}", "P0613", NULL },
		{ "{\"logs\": [{\"flows\": \"full\"}]}", "P0401", NULL },
		{ "{\"logs\": [{\"src\": [\"*\"], \"flow\": \"full\"}]}", "P0102", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void tests_of_the_policy(void **state)
{
	static const struct reading_case cases[] = {
		{ TEST("\"src\": \"tag:server\", \"accept\": [\"dns:deb.debian.org:443\", \"nas:22\", "
		       "\"[2001:db8::1]:80\"], \"deny\": [\"198.51.100.8:22\"]"),
		  NULL, NULL },
		{ TEST("\"user\": \"ana@example.com\", \"allow\": [\"group:family:22\"]"), NULL, NULL },
		{ TEST("\"src\": \"nas\", \"proto\": \"icmp\", \"accept\": [\"tag:tv:0\"]"), NULL, NULL },
		{ TEST("\"src\": \"ben@example.com\", \"dns\": {\"block\": [\"doubleclick.net\"], \"pass\": "
		       "[\"example.org\"]}"),
		  NULL, NULL },
		{ TEST("\"src\": \"tag:tv\", \"srcPostureAttrs\": {}, \"accept\": []"), NULL, "P1003" },
		{ TEST("\"src\": \"tag:tv\""), "P0701", NULL },
		{ TEST("\"accept\": [\"nas:22\"]"), "P0701", NULL },
		{ TEST("\"src\": \"\", \"accept\": [\"nas:22\"]"), "P0104", NULL },
		{ TEST("\"src\": \"lan\", \"accept\": [\"nas:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"*\", \"accept\": [\"nas:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"lan:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"10.0.0.1/32:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"autogroup:internet:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"*:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"dns:*.example:22\"]"), "P0702", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"nas:*\"]"), "P0703", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"nas:22,80\"]"), "P0703", NULL },
		{ TEST("\"src\": \"tag:tv\", \"accept\": [\"nas:0\"]"), "P0703", NULL },
		{ TEST("\"src\": \"tag:tv\", \"proto\": \"icmp\", \"accept\": [\"nas:22\"]"), "P0703", NULL },
		{ TEST("\"src\": \"tag:tv\", \"dns\": {\"block\": [\"a b\"]}"), "P0704", NULL },
		{ TEST("\"src\": \"tag:tv\", \"dns\": {\"blocks\": []}"), "P0102", NULL },
		{ TEST("\"src\": \"tag:x\", \"accept\": [\"nas:22\"]"), "P0202", NULL },
		{ TEST("\"src\": \"tag:tv\", \"users\": \"x\", \"accept\": []"), "P0102", NULL },
		{ TEST("\"src\": \"tag:tv\", \"user\": \"tag:tv\", \"accept\": []"), "P0402", NULL },
	};

	run(cases, ARRAY_LEN(cases));
}

static void all_errors_of_a_file_are_reported_in_one_run(void **state)
{
	struct reading r;

	reading_init(&r, "{\"groups\": {\"x\": []}, \"grants\": [{\"src\": [\"group:a\", \"tag:b\"], \"dst\": [\"c\"],"
			 " \"ip\": [\"tcp:0\", \"icmp\"]}, {\"dst\": []}], \"tests\": [{}], \"dnss\": {}}");
	assert_null(document_policy(r.mem, r.src, &r.diags));
	for (const char *const *code = (const char *const[]){ "P0501", "P0201", "P0202", "P0203", "P0303", "P0307",
							      "P0404", "P0701", "P0102", NULL };
	     *code != NULL; code++)
		assert_true(reading_said(&r, *code));
	reading_done(&r);
}

static void misspelt_names_get_a_suggestion(void **state)
{
	static const struct {
		const char *text, *hint;
	} cases[] = {
		{ GRANT("\"group:famliy\"", "\"*\"", "\"*\""), "did you mean \"group:family\"?" },
		{ GRANT("\"tag:servr\"", "\"*\"", "\"*\""), "did you mean \"tag:server\"?" },
		{ GRANT("\"NAS\"", "\"*\"", "\"*\""), "did you mean \"nas\"?" },
		{ "{\"grnats\": []}", "did you mean \"grants\"?" },
		{ DNS("\"lists\": {\"ads\": {\"file\": \"x\"}}, \"filters\": [{\"src\": [\"*\"], \"block\": "
		      "[\"ad\"]}]"),
		  "did you mean \"ads\"?" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		assert_null(document_policy(r.mem, r.src, &r.diags));
		assert_non_null(strstr(r.diags.items[0].msg, cases[i].hint));
		reading_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(top_level_members),
		cmocka_unit_test(definitions),
		cmocka_unit_test(ipsets),
		cmocka_unit_test(sources),
		cmocka_unit_test(destinations),
		cmocka_unit_test(protocols_and_services),
		cmocka_unit_test(rule_members),
		cmocka_unit_test(dns_and_logs),
		cmocka_unit_test(tests_of_the_policy),
		cmocka_unit_test(all_errors_of_a_file_are_reported_in_one_run),
		cmocka_unit_test(misspelt_names_get_a_suggestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
