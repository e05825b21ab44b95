/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `wg syncconf` is given, and the private key's file. */
#include "gatewayd/tunnel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY_A "jPh1gqPZeteqc02RvQFfLPP2jo6aKnWrimlwGncmm3I="
#define KEY_B "szGyn2mGRAU1HKjVOfadwCfJlKx7JfXqHm+Wt8AS/0M="

static const struct ip_addr addrs_a[] = { { IP_V4, { 100, 64, 0, 10 } }, { IP_V6, { 0xfd, [15] = 0x10 } } };
static const struct ip_addr addrs_b[] = { { IP_V4, { 100, 64, 0, 20 } } };
static const struct ip_prefix routes_b[] = {
	{ { IP_V4, { 192, 168, 7, 0 } }, 24 },
	{ { IP_V4, { 0 } }, 0 },
};

static const struct doc_tunnel tunnel = { .interface = "wg0", .listen_port = 51820 };

static char *config_of(const struct plan_device *devices, uint32_t n, uint32_t *ret_skipped)
{
	const struct plan p = { .devices = devices, .n_devices = n };
	char *text = NULL;

	assert_int_equal(tunnel_config(&tunnel, &p, "SECRET", &text, ret_skipped, NULL), 0);
	return text;
}

static void peers_carry_addresses_and_routes_but_never_the_internet(void **state)
{
	const struct plan_device devices[] = {
		{ .name = "a", .addrs = addrs_a, .n_addrs = 2, .key = KEY_A, .state = DEVICE_ACTIVE },
		{ .name = "b",
		  .addrs = addrs_b,
		  .n_addrs = 1,
		  .routes = routes_b,
		  .n_routes = 2,
		  .key = KEY_B,
		  .state = DEVICE_ACTIVE },
	};
	uint32_t skipped = 9;
	char *text = config_of(devices, 2, &skipped);

	assert_string_equal(text, "[Interface]\n"
				  "PrivateKey = SECRET\n"
				  "ListenPort = 51820\n"
				  "\n"
				  "[Peer]\n"
				  "PublicKey = " KEY_A "\n"
				  "AllowedIPs = 100.64.0.10/32, fd00::10/128\n"
				  "\n"
				  "[Peer]\n"
				  "PublicKey = " KEY_B "\n"
				  "AllowedIPs = 100.64.0.20/32, 192.168.7.0/24\n");
	assert_int_equal(skipped, 0);
	free(text);
}

/* So that it can be told from one that is unknown; what is behind it would answer the gateway. */
static void a_device_in_quarantine_is_a_peer_without_its_networks(void **state)
{
	const struct plan_device device = { .name = "b",
					    .addrs = addrs_b,
					    .n_addrs = 1,
					    .routes = routes_b,
					    .n_routes = 2,
					    .key = KEY_B,
					    .state = DEVICE_QUARANTINED };
	char *text = config_of(&device, 1, NULL);

	assert_non_null(strstr(text, "AllowedIPs = 100.64.0.20/32\n"));
	free(text);
}

static void pending_and_expired_devices_are_no_peers(void **state)
{
	const struct plan_device devices[] = {
		{ .addrs = addrs_a, .n_addrs = 2, .key = KEY_A, .state = DEVICE_PENDING },
		{ .addrs = addrs_b, .n_addrs = 1, .key = KEY_B, .state = DEVICE_EXPIRED },
	};
	uint32_t skipped = 9;
	char *text = config_of(devices, 2, &skipped);

	assert_null(strstr(text, "[Peer]"));
	assert_int_equal(skipped, 0);
	free(text);
}

static void unusable_keys_are_left_out_and_counted(void **state)
{
	static const char *const bad[] = { NULL,
					   "",
					   "short",
					   KEY_A "x",
					   "jPh1gqPZeteqc02RvQFfLPP2jo6aKnWrimlwGncmm3I\n",
					   "jPh1gqPZeteqc02RvQFfLPP2jo6aKnWrimlwGn mm3I=" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct plan_device d = { .addrs = addrs_b, .n_addrs = 1, .key = bad[i], .state = DEVICE_ACTIVE };
		uint32_t skipped = 0;
		char *text = config_of(&d, 1, &skipped);

		assert_null(strstr(text, "[Peer]"));
		assert_int_equal(skipped, 1);
		free(text);
	}
}

static void missing_key_is_made_once_and_only_ours_to_read(void **state)
{
	char folder[] = "/tmp/test_tunnel_XXXXXX", path[64], first[TUNNEL_KEY_TEXT + 1], second[TUNNEL_KEY_TEXT + 1];
	struct stat st;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/key", folder);
	assert_int_equal(tunnel_key(path, first, NULL), 0);
	assert_int_equal(strlen(first), TUNNEL_KEY_TEXT);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tunnel_key(path, second, NULL), 0);
	assert_string_equal(first, second);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(tunnel_key(path, second, NULL), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(tunnel_key(path, second, NULL), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_carry_addresses_and_routes_but_never_the_internet),
		cmocka_unit_test(a_device_in_quarantine_is_a_peer_without_its_networks),
		cmocka_unit_test(pending_and_expired_devices_are_no_peers),
		cmocka_unit_test(unusable_keys_are_left_out_and_counted),
		cmocka_unit_test(missing_key_is_made_once_and_only_ours_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
