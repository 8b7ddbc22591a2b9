gm_test(vision_nanodet LINK gm_vision m)
gm_test(vision_session LINK gm_vision LABELS needs-model)
gm_test(vision_photos LINK gm_vision LABELS needs-model)
gm_test(vision_shared LINK gm_vision LABELS needs-model)
