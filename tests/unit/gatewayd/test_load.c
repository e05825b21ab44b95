/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files to configuration: places of files, users, what is said when something is wrong. */
#include "gatewayd/load.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CONFIG                                                                                                         \
	"{\"tunnel\":{\"interface\":\"nosuch0\",\"existing\":true,\"addresses\":[\"100.64.0.1/10\"]},"                 \
	"\"policy\":\"policy.hujson\",\"devices\":\"devices.hujson\",\"state\":\"/s\",\"run\":\"/r\","                 \
	"\"users\":{\"dnsd\":\"64701\",\"recorder\":\"64702\"}}"

struct fixture {
	char folder[32], config[64], policy[64], devices[64];
};

static void write_file(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_load_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->config, sizeof(f->config), "%s/gateway.hujson", f->folder);
	(void)snprintf(f->policy, sizeof(f->policy), "%s/policy.hujson", f->folder);
	(void)snprintf(f->devices, sizeof(f->devices), "%s/devices.hujson", f->folder);
	write_file(f->config, CONFIG);
	write_file(f->policy, "{\"grants\":[{\"src\":[\"*\"],\"dst\":[\"192.0.2.1\"],\"ip\":[\"tcp:443\"]}]}");
	write_file(f->devices, "{\"users\":[\"a@example.com\"],\"devices\":[{\"name\":\"a\",\"user\":\"a@example.com\","
			       "\"addresses\":[\"100.64.0.7\"]}]}");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->config);
	(void)unlink(f->policy);
	(void)unlink(f->devices);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static struct gateway_config *config_of(const struct fixture *f)
{
	struct gateway_config *c = NULL;
	struct err e = { 0 };
	char *text = NULL;

	assert_int_equal(load_gateway(f->config, &c, &text, &e), 0);
	free(text);
	return c;
}

static void relative_paths_are_beside_the_file(void **state)
{
	const struct fixture *f = *state;
	struct gateway_config *c = config_of(f);

	assert_string_equal(c->doc->policy_file, f->policy);
	assert_string_equal(c->doc->state_dir, "/s");
	assert_int_equal(c->dnsd_uid, 64701);
	assert_int_equal(c->tunnel_nets[0].addr.bytes[3], 0);
	(void)gateway_config_free(c);
}

static void root_hints_and_trust_anchor_that_are_named_must_be_there(void **state)
{
	static const char *const members[] = { "rootHints", "trustAnchor" };
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct gateway_config *c = NULL;
		char config[512], *text = NULL;
		struct err e = { 0 };

		(void)snprintf(config, sizeof(config), "{\"dns\":{\"%s\":\"nosuch.file\"},%s", members[i], CONFIG + 1);
		write_file(f->config, config);
		assert_int_equal(load_gateway(f->config, &c, &text, &e), -ENOENT);
		assert_non_null(strstr(e.msg, members[i]));
		assert_non_null(strstr(e.msg, "nosuch.file"));
		assert_null(c);
		free(text);
	}
}

static void error_in_the_file_has_its_place(void **state)
{
	const struct fixture *f = *state;
	struct gateway_config *c = NULL;
	struct err e = { 0 };
	char *text = NULL;

	write_file(f->config, "{\n\"tunel\": 1}");
	assert_int_equal(load_gateway(f->config, &c, &text, &e), -EINVAL);
	assert_null(c);
	assert_non_null(strstr(text, "gateway.hujson:2:"));
	free(text);
}

static void same_user_for_both_children_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct gateway_config *c = NULL;
	struct err e = { 0 };
	char *text = NULL, config[sizeof(CONFIG)] = CONFIG;

	memcpy(strstr(config, "64702"), "64701", 5);
	write_file(f->config, config);
	assert_int_equal(load_gateway(f->config, &c, &text, &e), -EINVAL);
	assert_null(c);
	free(text);
}

static void users_are_names_or_numbers_but_not_root(void **state)
{
	uint32_t uid = 0, gid = 0;
	struct err e = { 0 };

	assert_int_equal(user_lookup("64701", &uid, &gid, &e), 0);
	assert_int_equal(gid, 64701);
	assert_int_equal(user_lookup("nobody", &uid, &gid, &e), 0);
	assert_int_not_equal(uid, 0);
	assert_int_equal(user_lookup("root", &uid, &gid, &e), -EINVAL);
	assert_int_equal(user_lookup("0", &uid, &gid, &e), -ENOENT);
	assert_int_equal(user_lookup("no-such-user-here", &uid, &gid, &e), -ENOENT);
}

static void policy_is_compiled_and_can_be_compiled_again(void **state)
{
	struct gateway_config *c = config_of(*state);
	struct loaded *l = NULL, *again = NULL;
	struct err e = { 0 };

	assert_int_equal(load_policy(c->doc, NULL, 1, &l, &e), 0);
	assert_null(l->plan);
	assert_int_equal(load_compile(l, NULL, &e), 0);
	assert_int_equal(l->plan->n_devices, 1);
	assert_int_equal(load_policy(c->doc, l->docs, 2, &again, &e), 0);
	assert_int_equal(load_compile(again, NULL, &e), 0);
	assert_ptr_equal(again->docs, l->docs);
	l = loaded_free(l);
	assert_int_equal(again->plan->n_devices, 1);
	assert_int_equal(again->docs->devices->n_devices, 1);
	(void)loaded_free(again);
	(void)gateway_config_free(c);
}

static void errors_of_both_files_are_said_at_once(void **state)
{
	const struct fixture *f = *state;
	struct gateway_config *c = config_of(f);
	struct loaded *l = NULL;
	struct err e = { 0 };
	char *text;

	write_file(f->policy, "{\"grant\":[]}");
	write_file(f->devices, "{\"device\":[]}");
	assert_int_equal(load_policy(c->doc, NULL, 1, &l, &e), -EINVAL);
	text = diags_text(&l->docs->diags);
	assert_non_null(strstr(text, "policy.hujson:1:"));
	assert_non_null(strstr(text, "devices.hujson:1:"));
	free(text);
	(void)loaded_free(l);
	(void)gateway_config_free(c);
}

static void missing_file_is_named(void **state)
{
	const struct fixture *f = *state;
	struct gateway_config *c = config_of(f);
	struct loaded *l = NULL;
	struct err e = { 0 };

	assert_int_equal(unlink(f->devices), 0);
	assert_int_equal(load_policy(c->doc, NULL, 1, &l, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "devices.hujson"));
	(void)loaded_free(l);
	(void)gateway_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relative_paths_are_beside_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(root_hints_and_trust_anchor_that_are_named_must_be_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(error_in_the_file_has_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(same_user_for_both_children_is_refused, setup, teardown),
		cmocka_unit_test(users_are_names_or_numbers_but_not_root),
		cmocka_unit_test_setup_teardown(policy_is_compiled_and_can_be_compiled_again, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_of_both_files_are_said_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_file_is_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
