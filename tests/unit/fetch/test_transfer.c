/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is a page and no list. Transfers themselves: tests/lab/lists.sh. */
#include "fetch/transfer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool is_page(const char *text)
{
	return transfer_is_page(text, strlen(text));
}

static void pages_are_told_from_lists(void **state)
{
	assert_true(is_page("<!DOCTYPE html>\n<html>"));
	assert_true(is_page("\r\n  <HTML lang=\"en\">"));
	assert_true(is_page("\xef\xbb\xbf<?xml version=\"1.0\"?>"));
	assert_true(is_page("<head>"));
	assert_false(is_page("! <html> is what a page begins with\n"));
	assert_false(is_page("0.0.0.0 ads.example\n"));
	assert_false(is_page("||html^\n"));
	assert_false(is_page("# comment\n<html>"));
	assert_false(is_page("<htm"));
	assert_false(is_page(""));
	assert_false(is_page("\xef\xbb\xbf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pages_are_told_from_lists) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
