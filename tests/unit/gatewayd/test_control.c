/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket: lines in, lines out, in order; clients that hang up, talk too much or say nonsense harm nobody.
 */
#include "gatewayd/control.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

struct fixture {
	struct event_base *base;
	struct control *c;
	char folder[32], path[64];
	struct control_client *waiting; /* whose reload is under way */
	uint32_t commands;
	int fd;
};

static void reply(struct control_client *client, const char *text)
{
	control_reply(client, cJSON_Parse(text));
}

static void on_command(void *arg, struct control_client *client, const struct control_cmd *cmd)
{
	struct fixture *f = arg;

	f->commands++;
	if (cmd->kind == CONTROL_RELOAD)
		f->waiting = client;
	else
		reply(client, "{\"ok\":true}");
}

static int client_open(const struct fixture *f)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_control_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/control.sock", f->folder);
	f->base = event_base_new();
	assert_int_equal(control_new(f->base, f->path, on_command, f, &f->c, NULL), 0);
	f->fd = client_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fd_closep(&f->fd);
	(void)control_free(f->c);
	assert_int_equal(rmdir(f->folder), 0); /* the socket is gone */
	event_base_free(f->base);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 8; i++)
		assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn(f);
}

static void expect(struct fixture *f, const char *text)
{
	char buf[4096] = "";
	ssize_t n = recv(f->fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		n = 0;
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static int parse(const char *line, struct control_cmd *ret)
{
	return control_parse(line, strlen(line), ret, NULL);
}

static void commands_parse(void **state)
{
	struct control_cmd cmd;

	assert_int_equal(parse("{\"cmd\":\"status\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_STATUS);
	assert_int_equal(parse("{\"cmd\":\"reload\",\"more\":[1]}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_RELOAD);
	assert_int_equal(parse("{\"cmd\":\"netfilter\",\"mode\":\"off\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_NETFILTER);
	assert_int_equal(cmd.mode, NETFILTER_OFF);
	assert_false(cmd.devices_only);
	assert_int_equal(parse("{\"cmd\":\"reload\",\"only\":\"devices\"}", &cmd), 0);
	assert_true(cmd.devices_only);
	assert_int_equal(parse("{\"cmd\":\"reload\",\"only\":\"policy\"}", &cmd), -EINVAL);
	assert_int_equal(parse("{\"cmd\":\"reload\",\"only\":true}", &cmd), -EINVAL);
	assert_int_equal(parse("{\"cmd\":\"learned\",\"client\":\"100.64.0.7\",\"addr\":\"fd7a::9\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_LEARNED);
	assert_int_equal(cmd.client.family, IP_V4);
	assert_int_equal(cmd.addr.family, IP_V6);
	assert_int_equal(parse("{\"cmd\":\"rules\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_RULES);
	assert_int_equal(parse("{\"cmd\":\"drops\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_DROPS);
	assert_int_equal(cmd.after, 0);
	assert_false(cmd.wait);
	assert_int_equal(parse("{\"cmd\":\"drops\",\"after\":123456789012345,\"wait\":true}", &cmd), 0);
	assert_int_equal(cmd.after, UINT64_C(123456789012345));
	assert_true(cmd.wait);
}

static void commands_about_lists_parse(void **state)
{
	struct control_cmd cmd;

	assert_int_equal(parse("{\"cmd\":\"lists\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_LISTS);
	assert_false(cmd.lists.update);
	assert_int_equal(parse("{\"cmd\":\"lists\",\"do\":\"update\",\"names\":[\"a\",\"b\"],\"force\":true}", &cmd),
			 0);
	assert_true(cmd.lists.update && cmd.lists.force);
	assert_int_equal(cmd.lists.n, 2);
	assert_string_equal(cmd.lists.names[1], "b");
	assert_int_equal(parse("{\"cmd\":\"lists\",\"do\":\"forget\"}", &cmd), -EINVAL);
	assert_int_equal(parse("{\"cmd\":\"lists\",\"names\":\"a\"}", &cmd), -EINVAL);
	assert_int_equal(parse("{\"cmd\":\"lists\",\"names\":[1]}", &cmd), -EINVAL);
	assert_int_equal(parse("{\"cmd\":\"lists\",\"force\":1}", &cmd), -EINVAL);
}

static void commands_about_dns_parse(void **state)
{
	struct control_cmd cmd;

	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"status\"}", &cmd), 0);
	assert_int_equal(cmd.kind, CONTROL_DNS);
	assert_int_equal(cmd.dns.what, DNS_COMMAND_STATUS);
	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"cache\",\"name\":\"WWW.Example.ORG.\",\"type\":65}", &cmd),
			 0);
	assert_int_equal(cmd.dns.what, DNS_COMMAND_CACHE);
	assert_string_equal(cmd.dns.name, "www.example.org");
	assert_int_equal(cmd.dns.type, 65);
	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"flush\",\"name\":\"a.b\",\"below\":true}", &cmd), 0);
	assert_int_equal(cmd.dns.flags, DNS_FLUSH_BELOW);
	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"flush\",\"all\":true}", &cmd), 0);
	assert_int_equal(cmd.dns.flags, DNS_FLUSH_ALL);
	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\"a.b\",\"device\":\"tv\"}", &cmd), 0);
	assert_string_equal(cmd.dns.device, "tv");
	assert_int_equal(cmd.dns.type, 1);
	assert_int_equal(cmd.dns.flags, 0);
	assert_int_equal(parse("{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\".\",\"src\":\"fd7a::9\",\"type\":2,"
			       "\"open\":true,\"cd\":true}",
			       &cmd),
			 0);
	assert_int_equal(cmd.dns.client.family, IP_V6);
	assert_int_equal(cmd.dns.flags, DNS_LOOKUP_OPEN | DNS_LOOKUP_CD);
	assert_string_equal(cmd.dns.device, "");
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"\"status\"",
		"{}",
		"{\"cmd\":1}",
		"{\"cmd\":\"stop\"}",
		"{\"cmd\":\"learned\"}",
		"{\"cmd\":\"netfilter\"}",
		"{\"cmd\":\"netfilter\",\"mode\":\"aus\"}",
		"{\"cmd\":\"learned\",\"client\":\"100.64.0.7\",\"addr\":\"x\"}",
		"{\"cmd\":\"drops\",\"after\":-1}",
		"{\"cmd\":\"drops\",\"after\":1e300}",
		"{\"cmd\":\"drops\",\"after\":\"1\"}",
		"{\"cmd\":\"drops\",\"wait\":1}",
		"{\"cmd\":\"dns\"}",
		"{\"cmd\":\"dns\",\"do\":\"stop\"}",
		"{\"cmd\":\"dns\",\"do\":\"cache\"}",
		"{\"cmd\":\"dns\",\"do\":\"cache\",\"name\":\"a..b\"}",
		"{\"cmd\":\"dns\",\"do\":\"cache\",\"name\":\"a\",\"type\":0}",
		"{\"cmd\":\"dns\",\"do\":\"cache\",\"name\":\"a\",\"type\":65536}",
		"{\"cmd\":\"dns\",\"do\":\"cache\",\"name\":\"a\",\"type\":\"A\"}",
		"{\"cmd\":\"dns\",\"do\":\"flush\"}",
		"{\"cmd\":\"dns\",\"do\":\"flush\",\"all\":1}",
		"{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\"a\"}",
		"{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\"a\",\"device\":\"\"}",
		"{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\"a\",\"src\":\"tv\"}",
		"{\"cmd\":\"dns\",\"do\":\"lookup\",\"name\":\"a\",\"src\":\"::1\",\"device\":\"t\"}",
		"{\"cmd\":\"status\""
	};
	struct control_cmd cmd;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i], &cmd), -EINVAL);
}

static void socket_is_for_its_owner_and_group(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void command_is_answered_with_a_line(void **state)
{
	say(*state, "{\"cmd\":\"status\"}\n");
	expect(*state, "{\"ok\":true}\n");
}

static void unknown_command_is_answered_with_the_reason(void **state)
{
	say(*state, "{\"cmd\":\"xx\"}\n");
	expect(*state, "{\"ok\":false,\"error\":\"unknown command \\\"xx\\\"\"}\n");
}

static void lines_behind_a_slow_command_wait_for_it(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"cmd\":\"reload\"}\n{\"cmd\":\"status\"}\n");
	assert_int_equal(f->commands, 1);
	expect(f, "");
	reply(f->waiting, "{\"gen\":2}");
	turn(f);
	expect(f, "{\"gen\":2}\n{\"ok\":true}\n");
}

static void half_closed_client_hears_its_answer(void **state)
{
	struct fixture *f = *state;
	char byte;

	say(f, "{\"cmd\":\"reload\"}\n");
	assert_int_equal(shutdown(f->fd, SHUT_WR), 0);
	turn(f);
	reply(f->waiting, "{\"gen\":2}");
	turn(f);
	expect(f, "{\"gen\":2}\n");
	assert_int_equal(recv(f->fd, &byte, 1, 0), 0);
}

static void client_may_leave_before_its_answer(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"cmd\":\"reload\"}\n");
	fd_closep(&f->fd);
	turn(f);
	reply(f->waiting, "{\"gen\":2}");
	turn(f);
}

static void socket_may_go_before_the_answer(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"cmd\":\"reload\"}\n");
	f->c = control_free(f->c);
	reply(f->waiting, "{\"gen\":2}");
}

static void endless_line_ends_the_client(void **state)
{
	struct fixture *f = *state;
	char block[4096];
	ssize_t n = 0;
	size_t sent = 0;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000 && n >= 0; i++) {
		n = send(f->fd, block, sizeof(block), MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0 && errno == EAGAIN)
			n = 0;
		turn(f);
	}
	assert_true(n < 0);
	assert_true(sent < 1000 * sizeof(block));
}

static void clients_beyond_the_limit_are_closed(void **state)
{
	struct fixture *f = *state;
	int fds[CONTROL_CLIENTS_MAX];
	char byte;

	turn(f);
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client_open(f);
		turn(f);
	}
	assert_int_equal(recv(fds[CONTROL_CLIENTS_MAX - 1], &byte, 1, 0), 0);
	say(f, "{\"cmd\":\"status\"}\n");
	expect(f, "{\"ok\":true}\n");
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

/* Commands until none is taken any more; returns how many. */
static uint32_t talk_until_stuck(struct fixture *f)
{
	static const char line[] = "{\"cmd\":\"status\"}\n";
	uint32_t n = 0;

	while (n < 200000 && send(f->fd, line, sizeof(line) - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof(line) - 1)) {
		n++;
		if (n % 100 == 0)
			turn(f);
	}
	turn(f);
	return n;
}

static void client_that_does_not_listen_is_not_listened_to_until_it_does(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0, more, lines = 0;
	char buf[4096];
	ssize_t n;

	do {
		more = talk_until_stuck(f);
		sent += more;
		assert_true(sent < 200000);
	} while (more != 0);
	for (int i = 0; i < 100000 && lines < sent; i++) {
		n = recv(f->fd, buf, sizeof(buf), 0);
		for (ssize_t k = 0; k < n; k++)
			lines += buf[k] == '\n';
		turn(f);
	}
	assert_int_equal(lines, sent);
	say(f, "{\"cmd\":\"status\"}\n");
	expect(f, "{\"ok\":true}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_parse),
		cmocka_unit_test(commands_about_lists_parse),
		cmocka_unit_test(commands_about_dns_parse),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test_setup_teardown(socket_is_for_its_owner_and_group, setup, teardown),
		cmocka_unit_test_setup_teardown(command_is_answered_with_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_command_is_answered_with_the_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_behind_a_slow_command_wait_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closed_client_hears_its_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(client_may_leave_before_its_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(socket_may_go_before_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(endless_line_ends_the_client, setup, teardown),
		cmocka_unit_test_setup_teardown(client_that_does_not_listen_is_not_listened_to_until_it_does, setup,
						teardown),
		cmocka_unit_test_setup_teardown(clients_beyond_the_limit_are_closed, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as main.c does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
