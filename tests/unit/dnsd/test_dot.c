/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/dot.c: no relay without a name that the certificate must have. */
#include "dnsd/dot.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BUNDLE "/etc/ssl/certs/ca-certificates.crt"

static void relay_without_a_whole_name_is_refused(void **state)
{
	static const char *const names[] = { NULL, "", ".example" };
	struct plan_upstream u = { .kind = UPSTREAM_TLS,
				   .port = 853,
				   .addr = { .family = IP_V4, .bytes = { 198, 51, 100, 1 } } };
	struct event_base *base = event_base_new();
	struct dot *d = NULL;
	uint16_t port = 0;

	if (access(BUNDLE, R_OK) != 0)
		skip();
	assert_int_equal(dot_new(base, BUNDLE, &d, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		u.tls_name = names[i];
		assert_int_equal(dot_add(d, &u, &port, NULL), -EBADMSG);
		assert_int_equal(port, 0);
	}
	u.tls_name = "dns.example";
	assert_int_equal(dot_add(d, &u, &port, NULL), 0);
	assert_int_not_equal(port, 0);
	(void)dot_free(d);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_without_a_whole_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
