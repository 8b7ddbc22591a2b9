gm_test(vision_nanodet LINK gm_vision m)
gm_test(vision_text LINK gm_vision m)
# With this variable OpenVINO's TBB leaves out RTLD_DEEPBIND, which the sanitizers cannot live with.
foreach(test vision_session vision_clip vision_photos vision_shared)
  gm_test(${test} LINK gm_vision LABELS needs-model ENVIRONMENT TBB_ENABLE_SANITIZERS=1)
endforeach()
