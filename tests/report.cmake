gm_test(report_html LINK gm_report)
gm_test(report_views LINK gm_report)
