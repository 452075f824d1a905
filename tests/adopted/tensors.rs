//! Settings and tensors that files give in more than one way.

use super::*;

/// Expected values were printed by `LlamaConfig` of transformers 5.24.
#[test]
fn theta_is_what_transformers_takes() {
    let default = |theta: Value| json!({ "rope_type": "default", "rope_theta": theta });
    let named = json!({ "type": "default" });
    for (top, parameters, scaling, expected, noted) in [
        (json!(5000.0), json!(null), json!(null), 5000.0, false),
        (json!(null), default(json!(7000)), json!(null), 7000.0, false),
        (json!(5000.0), default(json!(7000.0)), json!(null), 7000.0, true),
        (json!(null), json!(null), default(json!(8000.0)), 8000.0, false),
        (json!(5000.0), json!(null), default(json!(8000.0)), 8000.0, true),
        (json!(5000.0), json!(null), named.clone(), 5000.0, false),
        (json!(5000.0), default(json!(7000.0)), named.clone(), 5000.0, true),
        (json!(null), default(json!(7000.0)), default(json!(8000.0)), 8000.0, true),
        (json!(null), default(json!(7000.0)), named, 10_000.0, true),
        (json!(5000), json!({}), json!({}), 5000.0, false),
        (json!(null), json!({ "rope_theta": 7000.0 }), json!({}), 7000.0, false),
        (json!(null), json!(null), json!(null), 10_000.0, false),
    ] {
        let mut files = llama(&[]);
        let config = json!({ "rope_theta": top, "rope_parameters": parameters, "rope_scaling": scaling });
        set(&mut files, "config.json", config.clone());
        let Imported { model, notes, .. } = read(&files);
        assert_eq!(model.rope_theta, expected, "{config}");
        assert_eq!(notes.iter().any(|note| note.contains("rope_theta more than once")), noted, "{config}: {notes:?}");
    }
    let mut files = llama(&[]);
    set(&mut files, "config.json", json!({ "rope_parameters": { "rope_type": "linear", "factor": 2.0 } }));
    assert!(refusal(&files).contains("rope_parameters"));
    set(&mut files, "config.json", json!({ "rope_parameters": null, "rope_theta": "1e4" }));
    assert!(refusal(&files).contains("rope_theta is \"1e4\"; it has to be a number"));
}

/// The file with its tensors changed by `change`.
pub(crate) fn retensored(files: &Files, change: impl Fn(&mut BTreeMap<String, (Vec<usize>, Vec<f32>)>)) -> Files {
    let read = SafeTensors::deserialize(&files["model.safetensors"]).unwrap();
    let numbers = |view: &TensorView<'_>| bytemuck::pod_collect_to_vec::<u8, f32>(view.data());
    let all = read.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view))));
    let mut tensors: BTreeMap<_, _> = all.collect();
    change(&mut tensors);
    let view = |(shape, numbers): &(Vec<usize>, Vec<f32>)| {
        let bytes: Vec<u8> = bytemuck::cast_slice(numbers).to_vec();
        (shape.clone(), bytes)
    };
    let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> =
        tensors.iter().map(|(name, t)| (name.clone(), view(t))).collect();
    let views = bytes
        .iter()
        .map(|(name, (shape, bytes))| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let mut files = files.clone();
    files.insert("model.safetensors".into(), safetensors::serialize(views, None).unwrap());
    files
}

#[test]
fn tied_files_are_read_as_transformers_reads_them() {
    for switches in [&[("tied_embeddings", "true")][..], &[&GPT2[..], &[("tied_embeddings", "true")]].concat()] {
        let files = llama(switches);
        let embedding = ["model.embed_tokens.weight", "transformer.wte.weight"]
            .into_iter()
            .find(|name| SafeTensors::deserialize(&files["model.safetensors"]).unwrap().tensor(name).is_ok())
            .unwrap();
        let tied = read(&files);
        // Only the head, which is then also the embedding.
        let only_head = retensored(&files, |tensors| {
            let embedding = tensors.remove(embedding).unwrap();
            tensors.insert("lm_head.weight".into(), embedding);
        });
        let only_head = read(&only_head);
        assert_eq!((&only_head.model, &only_head.params), (&tied.model, &tied.params));
        // Two equal matrices are tied.
        let twice = retensored(&files, |tensors| {
            tensors.insert("lm_head.weight".into(), tensors[embedding].clone());
        });
        let twice = read(&twice);
        assert_eq!((&twice.model, &twice.params, &twice.notes), (&tied.model, &tied.params, &tied.notes));
        // A different head is a separate matrix.
        let other = retensored(&files, |tensors| {
            let (shape, numbers) = tensors[embedding].clone();
            tensors.insert("lm_head.weight".into(), (shape, numbers.iter().map(|number| -number).collect()));
        });
        let Imported { model, params, tokenizer, notes, .. } = read(&other);
        assert!(!model.tied_embeddings && notes[0].contains("another lm_head.weight"), "{notes:?}");
        let table = ParamTable::new(&model);
        let of = |name: &str| {
            let param = table.iter().find(|param| param.name == name).unwrap();
            params[param.start..param.start + param.len()].to_vec()
        };
        let negated: Vec<f32> = of("token_embeddings.weight").iter().map(|number| -number).collect();
        assert_eq!(of("lm_head.weight"), negated);
        // The export reports this and contains both.
        let said = changes(&model, &tokenizer, &params).unwrap();
        assert_eq!(said, ["config.json: tie_word_embeddings was true, and is false now."]);
        let again = read(&self::files(&model, &tokenizer, &params));
        assert_eq!((again.model, again.params), (model, params));
    }
}

#[test]
fn an_added_token_without_a_row_is_left_out() {
    let mut files = llama(&[]);
    let mut tokenizer = json_of(&files, "tokenizer.json");
    let pad = json!({ "id": 260, "content": "<pad>", "special": true });
    tokenizer["added_tokens"].as_array_mut().unwrap().push(pad);
    files.insert("tokenizer.json".into(), tokenizer.to_string().into_bytes());
    let Imported { model, params, tokenizer: read, notes, .. } = read(&files);
    assert_eq!((model.vocab_size, read.vocab_size()), (260, 260));
    assert!(notes[0].contains("\"<pad>\" has no row in the embeddings"), "{notes:?}");
    assert_eq!(notes.len(), 1);
    let ids = read.encode("<pad>");
    assert!(ids.iter().all(|&id| id < 260) && read.decode(&ids) == "<pad>");
    let again = self::files(&model, &read, &params);
    assert_eq!(json_of(&again, "tokenizer.json"), tokenizer, "the file keeps it");
}

#[test]
fn what_a_family_cannot_hold_is_exported_as_llama_with_a_word() {
    let biased = [("bias", "true")];
    let mut files = llama(&biased);
    set(
        &mut files,
        "config.json",
        json!({ "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "dtype": "bfloat16" }),
    );
    let Imported { model, mut params, tokenizer, .. } = read(&files);
    let kept = self::files(&model, &tokenizer, &params);
    let config = json_of(&kept, "config.json");
    assert_eq!((&config["model_type"], &config["dtype"]), (&json!("qwen2"), &json!("float32")));
    let tensors = SafeTensors::deserialize(&kept["model.safetensors"]).unwrap();
    assert!(tensors.tensor("model.layers.0.self_attn.o_proj.bias").is_err());
    // Training adds a bias to every layer.
    let table = ParamTable::new(&model);
    let bias = table.iter().find(|param| param.name.ends_with("output_proj.bias")).unwrap();
    params[bias.start] = 1.0;
    let config = json_of(&self::files(&model, &tokenizer, &params), "config.json");
    assert_eq!((&config["model_type"], &config["attention_bias"]), (&json!("llama"), &json!(true)));
    let said = changes(&model, &tokenizer, &params).unwrap().join("\n");
    assert!(said.contains("model_type was \"qwen2\", and is \"llama\" now"), "{said}");
}

#[test]
fn a_saved_model_keeps_its_files() {
    let mut files = renamed(Some("</end>"));
    set(&mut files, "generation_config.json", json!({ "eos_token_id": id('d'), "bos_token_id": 9 }));
    let ImportedRun { config, tokenizer, state, .. } = adopt(read(&files));
    let bytes = to_bytes(&config, &tokenizer, &state, None).unwrap();
    let saved = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(saved.tokenizer.ends(), tokenizer.ends());
    assert_eq!(saved.tokenizer.companions(), tokenizer.companions());
    assert_eq!(saved.tokenizer.to_json().unwrap(), tokenizer.to_json().unwrap());
}

#[test]
fn numbers_that_are_none_are_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let files = retensored(&llama(&[]), |tensors| {
            tensors.get_mut("model.layers.0.mlp.up_proj.weight").unwrap().1[5] = value;
        });
        let said = refusal(&files);
        assert!(said.contains(&format!("model.layers.0.mlp.up_proj.weight holds {value} (number 5 of it)")), "{said}");
    }
    // The run's file and logits are the same whichever way the model was imported.
    let ImportedRun { config, tokenizer, mut state, .. } = adopt(read(&llama(&[])));
    let table = ParamTable::new(&config.model);
    let param = table.iter().find(|param| param.name == "layers.0.ffn.w1.weight").unwrap();
    state.params[param.start + 3] = f32::NAN;
    let said = Checkpoint::from_bytes(&to_bytes(&config, &tokenizer, &state, None).unwrap()).err().unwrap().to_string();
    assert!(said.contains("the checkpoint's layers.0.ffn.w1.weight holds NaN"), "{said}");
    let tokens = vec![0; 20];
    let mut trainer = block_on(Trainer::new(config, None, &tokens, &tokens)).unwrap();
    trainer.set_params(&state.params);
    let mut writer = Writer::new(&tokenizer, "x", Sampling::default());
    let said = block_on(writer.write(&mut trainer)).unwrap_err();
    assert!(matches!(said, TrainError::Logits { .. }), "{said}");
    assert_eq!(writer.text(&tokenizer), "");
}
