gm_test(cli_options LINK gm_cli)
gm_test(cli_models LINK gm_base)
gm_e2e(usage)
gm_e2e(bad_input)
